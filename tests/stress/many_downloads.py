"""F10: four missions are downloaded at once from a disturbed sky, killed once in the middle, and downloaded again."""

import bisect
import contextlib
import hashlib
import json
import os
import pty
import re
import subprocess
import sys
import termios
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from daxa_testing.disturbing import Disturbance
from daxa_testing.sky import AIO, Request, RunningSky
from tests.stress.four_missions import FourMissions
from tests.stress.report import Finding
from tests.stress.surroundings import ROOT, Held, kill
from tests.stress.terminal import screen

SHARE = 0.05
"""Share of requests that meet a transient fault."""
MEMORY, OPEN_FILES = 300 * 10**6, 256
"""What the downloading process may use."""
HOSTS = {"HEASARC": "https://heasarc.gsfc.nasa.gov/FTP/", "XSA": AIO}
"""Services that serve files, and an address at the host of each."""
PASSED_BY = 64
"""Most requests that a full host may begin while another has work and is idle."""
WITHOUT_TAIL = 0.9
"""Share of a host's requests during which it surely has work: its last files may be waiting for another try."""
LONGEST = 1800
"""Seconds after which a download counts as stuck."""


def many_downloads(directory: Path, *, observations: int, seed: int = 0) -> Finding:
    """Download everything, killing the process once, and look at what is there and at what the servers saw."""
    found = Finding("F10", f"{observations} observations of four missions", seed=seed)
    generated = FourMissions(observations, seed)
    generated.sky.disturbance = Disturbance(SHARE, seed)
    generated.sky.latency = 0.002
    found.counts = {"observations": observations, "files": len(generated.expected)}
    before = Held.now()
    output = directory / "output"
    with generated.sky.running_in_thread() as running:
        killed = Head.start(running, directory)
        half = generated.served // 2
        while len(running.requests) < half and killed.process.poll() is None:
            time.sleep(0.01)
        found.counts["killed after requests"] = len(running.requests)
        if not killed.kill():
            found.fault(f"the first process ended before it was killed: {killed.errors}")
        found.counts["files there when killed"] = len(hashes(output).keys() & generated.expected.keys())
        _right(found, output, generated.expected, whole=False)
        requests = len(running.requests)
        second = Head.start(running, directory)
        said = second.finish()
        _right(found, output, generated.expected, whole=True)
        _ended_well(found, said, second)
        _hosts(found, running, [running.requests[:requests], running.requests[requests:]])
        _frugal(found, [killed, second])
    found.counts["faults met"] = sum(generated.sky.disturbance.met.values())
    for kind in ("busy", "broken", "reset", "cut", "page", "gone", "short"):
        found.counts[f"of them {kind}"] = generated.sky.disturbance.met[kind]
    for leak in Held.now().more_than(before):
        found.fault(f"the loop left {leak}")
    return found


# --- the process ----------------------------------------------------------------------------------------------------


@dataclass
class Head:
    """A downloading process, whose standard error is a terminal; its memory and open files are watched."""

    process: "subprocess.Popen[bytes]"
    terminal: int
    written: bytearray = field(default_factory=bytearray)
    most_files: int = 0
    memory: int = 0
    _threads: list[threading.Thread] = field(default_factory=list)

    @classmethod
    def start(cls, running: RunningSky, directory: Path) -> "Head":
        kept = {name: value for name, value in os.environ.items() if not name.startswith("DAXA_")}
        path = os.pathsep.join([*filter(None, [os.environ.get("PYTHONPATH")]), str(ROOT)])
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (40, 120))
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.stress.downloading_head"],
            env={**kept, **running.environment(directory), "PYTHONPATH": path},
            cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=theirs,
        )  # fmt: skip
        os.close(theirs)
        head = cls(process, ours)
        head._threads = [threading.Thread(target=head._read), threading.Thread(target=head._watch)]
        for thread in head._threads:
            thread.start()
        return head

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # the other side is closed
            while block := os.read(self.terminal, 1 << 16):
                self.written += block

    def _watch(self) -> None:
        where = Path(f"/proc/{self.process.pid}")
        while self.process.returncode is None:
            with contextlib.suppress(OSError, IndexError):
                self.most_files = max(self.most_files, len(os.listdir(where / "fd")))
                peak = re.search(r"VmHWM:\s*(\d+) kB", (where / "status").read_text())
                self.memory = max(self.memory, int(peak[1]) * 1024 if peak else 0)
            time.sleep(0.02)

    def _over(self) -> None:
        for thread in self._threads:
            thread.join()
        os.close(self.terminal)

    def kill(self) -> bool:
        """SIGKILL; whether it was still there."""
        alive = self.process.poll() is None
        kill(self.process)
        self._over()
        return alive

    def finish(self) -> dict:
        """Wait for its end; what it says."""
        out, _ = self.process.communicate(timeout=LONGEST)
        self._over()
        assert self.process.returncode == 0, self.errors
        return json.loads(out)

    @property
    def errors(self) -> str:
        """What it wrote to its terminal."""
        return self.written.decode(errors="replace")


# --- what must hold -------------------------------------------------------------------------------------------------


def hashes(output: Path) -> dict[str, str]:
    """Hash by path of everything in the raw directories, the records left out."""
    found = {}
    for raw in output.glob("*_raw"):
        for path in raw.rglob("*"):
            relative = path.relative_to(output)
            if path.is_file() and len(relative.parts) > 2 and not relative.parts[1].startswith("."):
                found[str(relative)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def _right(found: Finding, output: Path, expected: dict[str, str], *, whole: bool) -> None:
    """Every file under its final name is right; at the end they are all there, and nothing else is."""
    now = hashes(output)
    wrong = sorted(path for path in now.keys() & expected.keys() if now[path] != expected[path])
    missing = sorted(expected.keys() - now.keys()) if whole else []
    left = sorted(now.keys() - expected.keys()) if whole else []
    found.add("wrong files", len(wrong))
    for what, paths in (("wrong", wrong), ("missing", missing), ("left over", left)):
        if paths:
            found.fault(f"{len(paths)} files are {what}: {', '.join(paths[:3])}")


def _ended_well(found: Finding, said: dict, head: Head) -> None:
    """Every observation is complete, each mission told once that it begins and ends, and has one line."""
    found.counts |= {
        name: number for name, number in said["states"].items() if not name.endswith(("complete", "fetched"))
    }
    for cause in list(said["causes"])[:5]:
        found.fault(f"not fetched: {cause}")
    if set(said["begun"].values()) != {1} or said["begun"] != said["ended"]:
        found.fault(f"downloads began {said['begun']} and ended {said['ended']}")
    lines = screen(head.errors)
    for title in said["titles"]:
        own = [line for line in lines if line.startswith(f"Downloading {title} data")]
        if len(own) != 1 or "100%" not in own[0]:
            found.fault(f"the terminal has {len(own)} lines of {title}: {own}")
    if len(lines) != len(said["titles"]):
        found.fault(f"the terminal has {len(lines)} lines: {lines}")


def _hosts(found: Finding, running: RunningSky, runs: list[list[Request]]) -> None:
    """No host saw more at once than its limit, and none was idle with work while another was full."""
    from daxa.config import Config
    from daxa.context import Context

    services = Context(Config()).registry.services
    caps = {name: services[name].connections for name in HOSTS}
    for name, url in HOSTS.items():
        at_once, connections = running.peak(url), running.connections(url)
        found.counts |= {f"most at once {name}": at_once, f"most connections {name}": connections}
        if at_once > caps[name] or connections > caps[name]:
            found.fault(
                f"{name} saw {at_once} requests and {connections} connections at once, its limit is {caps[name]}"
            )
    for requests in runs:
        by_host = {name: _of(requests, url) for name, url in HOSTS.items()}
        for idle, full in ((one, other) for one in HOSTS for other in HOSTS if one != other):
            number = passed_by(by_host[idle], by_host[full], caps[full])
            found.most(f"passed by {idle}", number)
            if number > PASSED_BY:
                found.fault(f"{full} was full and began {number} requests while {idle} had work and was idle")


def _of(requests: list[Request], url: str) -> list[Request]:
    """Requests of files and directories at the host of an address, by their beginning."""
    host = f"https://{url.split('/')[2]}/"
    return sorted(
        (one for one in requests if one.url.startswith(host) and "/tap" not in one.url), key=lambda one: one.started
    )


def passed_by(idle: list[Request], full: list[Request], cap: int) -> int:
    """Most requests that one host began, being full, in a time in which another had work and none under way."""
    if not idle:
        return 0
    busy = _at_once(full)
    times = [moment for moment, _ in busy]
    begun = [one.started for one in full]
    most, ended = 0, idle[0].ended
    for one in idle[1 : int(len(idle) * WITHOUT_TAIL)]:
        if one.started > ended:
            first, last = bisect.bisect_right(begun, ended), bisect.bisect_left(begun, one.started)
            was_full = any(
                number >= cap for _, number in busy[bisect.bisect(times, ended) : bisect.bisect(times, one.started)]
            )
            most = max(most, last - first if was_full else 0)
        ended = max(ended, one.ended)
    return most


def _at_once(requests: list[Request]) -> list[tuple[float, int]]:
    """How many requests were under way, from each moment on at which that changed."""
    changes: dict[float, int] = defaultdict(int)
    for one in requests:
        changes[one.started] += 1
        changes[one.ended] -= 1
    found, number = [], 0
    for moment in sorted(changes):
        number += changes[moment]
        found.append((moment, number))
    return found


def _frugal(found: Finding, heads: list[Head]) -> None:
    """The process used little memory and few descriptors."""
    memory, files = max(head.memory for head in heads), max(head.most_files for head in heads)
    found.counts |= {"most memory, MB": memory // 10**6, "most open files": files}
    if memory > MEMORY:
        found.fault(f"a process took {memory // 10**6} MB of memory")
    if files > OPEN_FILES:
        found.fault(f"a process had {files} files open")
