"""A disk that refuses, where no real one can be made: some of the system's calls fail from the n-th on."""

import errno
import os
import resource
import signal


def refuse(call: str, code: str, after: int, below: str) -> None:
    """Let a function of :mod:`os` fail for paths below a directory, once it has done so often.

    Parameters
    ----------
    call : str
        ``rename``, ``replace``, ``mkdir``, ``link``.
    code : str
        ``ENOSPC``, ``EROFS``, ``EDQUOT``, ``EFBIG``.
    after : int
        How often it works.
    below : str
        Part of the path.
    """
    real = getattr(os, call)
    number = getattr(errno, code)
    done = 0

    def refusing(*arguments, **options):
        nonlocal done
        target = str(arguments[-1] if call != "mkdir" else arguments[0])
        if below in target:
            done += 1
            if done > after:
                raise OSError(number, os.strerror(number), target)
        return real(*arguments, **options)

    setattr(os, call, refusing)


def limit_files(size: int) -> None:
    """No file may grow beyond so many bytes; what tries is refused, not ended."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
