"""What no reading may do: take seconds or memory, reach the network, write elsewhere, run what a file says."""

import os
import resource
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

CPU_SECONDS = 2.0
EXTRA_BYTES = 300 << 20  # beside the size of the file
FORBIDDEN = ("socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.fork", "pickle.", "ctypes.dlopen")
CHANGES = (
    "os.remove",
    "os.rename",
    "os.mkdir",
    "os.rmdir",
    "os.link",
    "os.symlink",
    "os.truncate",
    "os.chmod",
    "shutil.",
)
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Forbidden(BaseException):
    """What a reading tried that none may. No handler of ordinary errors hides it."""


class Guard:
    """Watches this process from now on, while a case is read; cannot be taken off."""

    def __init__(self, folder: Path) -> None:
        self._folder = os.path.realpath(folder)
        self._watching = False
        self.seen: str | None = None
        sys.dont_write_bytecode = True  # a module that is imported late is compiled, and nothing is left beside it
        sys.addaudithook(self._see)

    @contextmanager
    def case(self, file_bytes: int) -> Generator[None]:
        """One case: killed by SIGPROF after CPU_SECONDS; MemoryError beyond the limit; Forbidden for what none may."""
        before = resource.getrlimit(resource.RLIMIT_DATA)
        limit = _data_bytes() + file_bytes + EXTRA_BYTES
        resource.setrlimit(resource.RLIMIT_DATA, (limit, before[1]))
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        self.seen, self._watching = None, True
        try:
            yield
        finally:
            self._watching = False
            signal.setitimer(signal.ITIMER_PROF, 0)
            resource.setrlimit(resource.RLIMIT_DATA, before)
        if self.seen:
            raise Forbidden(self.seen)

    def _see(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self._watching:
            return
        outside = False
        if event == "open":
            path, flags = arguments[0], arguments[2]
            outside = isinstance(path, str | bytes) and bool(int(str(flags or 0)) & WRITES) and self._is_outside(path)
        elif event.startswith(CHANGES):
            outside = any(isinstance(path, str | bytes) and self._is_outside(path) for path in arguments[:2])
        if outside or event.startswith(FORBIDDEN):
            self.seen = f"{event} {str(arguments)[:200]}"
            raise Forbidden(self.seen)

    def _is_outside(self, path: str | bytes) -> bool:
        real = os.path.realpath(os.fsdecode(path))
        return not (real == os.devnull or real == self._folder or real.startswith(self._folder + os.sep))


def _data_bytes() -> int:
    """What counts for RLIMIT_DATA: private memory that can be written."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[5]) * os.sysconf("SC_PAGE_SIZE")
