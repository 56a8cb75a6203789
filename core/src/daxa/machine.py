"""What this machine has: memory, and room on its disks. Reads the system's own figures."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

_LIMITS: Final = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Where control groups, versions 2 and 1, say how much a container or a batch job may have."""


def memory() -> float:
    """Bytes of memory this process and its children may use: the machine's, or less by a control group's limit."""
    sizes = [float(os.sysconf("SC_PAGE_SIZE")) * os.sysconf("SC_PHYS_PAGES")]
    for name in _LIMITS:
        try:
            sizes.append(float(Path(name).read_text(encoding="ascii")))
        except (OSError, ValueError):  # there is no such group, or it says "max"
            continue
    return min(sizes)


def free_space(path: Path) -> float:
    """Bytes that can be written to the file system of a path that exists, by one who is not its owner."""
    return float(shutil.disk_usage(path).free)
