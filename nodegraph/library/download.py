"""Fetching a file from a hub: as a hidden one beside its place until it is whole and right, and only then by its name.

What broke off goes on where it was. Acts for `nodegraph.running.errand`.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from hashlib import blake2b, sha1
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from nodegraph.domain import Domain, Hub, Remote, RemoteFile, Stock
from nodegraph.formats.files import reason, usable_path
from nodegraph.formats.package import discover
from nodegraph.library.hashing import digest, keep
from nodegraph.library.store import open_kept
from nodegraph.library.walk import stamp
from nodegraph.program import offline
from nodegraph.text import quoted, shortened

if sys.platform != "win32":
    import fcntl

Heard = Callable[[int, int], object]

UNFINISHED = ".denoodle.part"
"""How the name of a file ends that is being fetched; it begins with a dot, so it is no entry."""

SPARE = 64 << 20
"""Bytes that stay free on the disk."""


@dataclass(frozen=True, slots=True)
class Fetch:
    """What is to be fetched. to: the file or folder that it becomes. library: the folder of the index."""

    remote: Remote
    to: str
    library: str
    package: str = "nodes"

    def text(self) -> str:
        """As an errand takes it."""
        return json.dumps(asdict(self))


def ask(given: str | None, heard: Heard) -> str:
    """An errand: what there is at an address. given: {"address": ..., "package": ...} as JSON.

    Returns what `read_remotes` reads. Raises ValueError with a sentence.
    """
    asked: dict[str, Any] = json.loads(given or "{}")
    return json.dumps([asdict(remote) for remote in _hub(asked["package"]).ask(asked["address"])])


def read_remotes(text: str) -> tuple[Remote, ...]:
    return tuple(map(_remote, json.loads(text)))


def _remote(said: dict[str, Any]) -> Remote:
    files = tuple(RemoteFile(**file) for file in said["files"])
    rest: dict[str, Any] = {**said, "files": files, "families": tuple(said["families"])}
    return Remote(**rest)


def fetch(given: str | None, heard: Heard) -> str:
    """An errand. given: `Fetch.text`. Returns the path of what is there now. Raises ValueError, OSError.

    heard: is told of bytes. One that is stopped keeps what is there, and goes on with it the next time.
    """
    said: dict[str, Any] = json.loads(given or "{}")
    wanted = Fetch(_remote(said["remote"]), said["to"], said["library"], said["package"])
    return str(fetched(_hub(wanted.package), wanted, heard))


def _hub(package: str) -> Hub:
    stock = (discover(package).domain or Domain()).stock
    if stock.hub is None:
        raise ValueError("there is no hub from which files for these nodes can be fetched")
    if why := offline():
        raise ValueError(why)
    return stock.hub


def place_for(remote: Remote, stock: Stock, roots: Sequence[str]) -> str:
    """Where what is fetched goes: into the folder for its kind that is there, or else one to be made in the first root.

    "" where there is no root. What is of no known kind goes into the first root itself.
    """
    name = PurePosixPath(remote.name).name
    homes = [home for home, kind in stock.places.items() if kind == remote.kind and remote.kind]
    wanted = stock.homes.get(remote.kind, "")
    for root in map(Path, roots):
        there = {path.name.casefold(): path for path in _folders(root)}
        if found := next((there[home] for home in (wanted, *homes) if home in there), None):
            return str(found / name)
    return str(Path(roots[0], wanted, name)) if roots else ""


def _folders(root: Path) -> list[Path]:
    try:
        return sorted(path for path in root.iterdir() if path.is_dir())
    except OSError:
        return []


def unfinished(to: str, remote: Remote | None = None) -> int:
    """How many bytes are there from before of what is to become this. remote: of this alone; None: of all."""
    parts = [_part(Path(to), remote)] if remote else _parts(to)
    with suppress(OSError):
        return sum(file.stat().st_size for part in parts for file in [part, *part.glob("**/*")] if file.is_file())
    return 0


def discard(to: str) -> None:
    """Delete what was fetched of it. Raises OSError."""
    for part in _parts(to):
        if part.is_dir():
            shutil.rmtree(part)
        else:
            part.unlink(missing_ok=True)


def _parts(to: str) -> list[Path]:
    """All that was begun for one name."""
    place = usable_path(to)
    start = f".{_short(place.name)}."
    with suppress(OSError):
        names = [name for name in os.listdir(place.parent) if name.startswith(start) and name.endswith(UNFINISHED)]
        return [place.parent / name for name in names]
    return []


def fetched(hub: Hub, wanted: Fetch, heard: Heard) -> Path:
    """See `fetch`."""
    remote, to = wanted.remote, usable_path(os.path.abspath(wanted.to))
    if to.exists():
        raise ValueError(f"{to} is there already; choose another name, or take it away first")
    if not remote.files:
        raise ValueError(f"{remote.address} has no files")
    for file in remote.files:
        _check_name(file.name)
    part = _part(to, remote)
    part.parent.mkdir(parents=True, exist_ok=True)
    _check_room(to, remote.size - unfinished(str(to), remote))
    _pull_all(hub, remote, part, heard)
    if to.exists():  # meanwhile somebody else has made it
        raise ValueError(f"{to} is there already; choose another name, or take it away first")
    os.replace(part, to)
    _keep(Path(wanted.library), to, remote)
    return to


def _pull_all(hub: Hub, remote: Remote, part: Path, heard: Heard) -> None:
    """Raises ValueError when what is there now is not what the hub has said."""
    if not remote.is_folder:
        _pull(hub, remote, remote.files[0], part, lambda there: heard(there, remote.size))
        return
    before = 0
    for file in remote.files:
        place = part.joinpath(*PurePosixPath(file.name).parts)
        place.parent.mkdir(parents=True, exist_ok=True)
        _pull(hub, remote, file, place, lambda there, before=before: heard(before + there, remote.size))
        before += file.size


def _pull(hub: Hub, remote: Remote, file: RemoteFile, part: Path, heard: Callable[[int], object]) -> None:
    with _locked(part) as handle:
        begin = handle.seek(0, os.SEEK_END)
        if begin > file.size:
            begin = handle.truncate(0)
        if begin < file.size:
            handle.seek(begin)
            try:
                hub.pull(remote, file, handle, begin, heard)
            except OSError as error:
                raise ValueError(f"{file.name} could not be fetched: {reason(error)}") from error
            handle.flush()
            os.fsync(handle.fileno())
        _check(file, handle, part)


def _check(file: RemoteFile, handle: BinaryIO, part: Path) -> None:
    """Raises ValueError unless a file is as long as the hub has said, and has the hash that it has said."""
    there = handle.seek(0, os.SEEK_END)
    if there < file.size:
        raise ValueError(
            f"{file.name} broke off after {there:,} of {file.size:,} bytes; fetch it again, and it goes on from there"
        )
    handle.seek(0)
    if there > file.size:
        why = f"the hub has sent {there:,} bytes, and had said {file.size:,}"
    elif file.sha256 and (found := digest(handle, lambda read: None)) != file.sha256.lower():
        why = f"its sha256 is {found}, and should be {file.sha256}"
    elif not file.sha256 and file.blob and _blob(handle, there) != file.blob:
        why = f"its content is not that which the hub has as {file.blob}"
    elif not file.sha256 and not file.blob:
        why = "the hub says nothing by which it could be told to be right"
    else:
        return
    handle.truncate(0)
    with suppress(OSError):
        part.unlink()
    raise ValueError(f"{file.name} is not what the hub has: {why}. Nothing of it was kept")


def _blob(handle: BinaryIO, size: int) -> str:
    """As git names a content."""
    return sha1(b"blob %d\0" % size + handle.read()).hexdigest()


def _part(to: Path, remote: Remote) -> Path:
    """Where it lies until it is whole. Of another content, what was begun lies elsewhere: the two never mix."""
    known = "\n".join(f"{file.name} {file.size} {file.sha256 or file.blob}" for file in remote.files)
    return to.with_name(f".{_short(to.name)}.{blake2b(known.encode(), digest_size=6).hexdigest()}{UNFINISHED}")


def _short(name: str) -> str:
    """So much of a name that the hidden one is no longer than file systems allow (255 bytes)."""
    return os.fsencode(name)[:200].decode(errors="ignore")


@contextmanager
def _locked(part: Path) -> Generator[BinaryIO]:
    """The file, to read and to write, while no other process fetches the same."""
    handle = os.fdopen(os.open(part, os.O_CREAT | os.O_RDWR | getattr(os, "O_BINARY", 0), 0o666), "r+b")
    with handle:
        if sys.platform != "win32":
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ValueError(f"{part.name} is being fetched already") from None
            except OSError:  # a disk without locks
                pass
        yield handle


def _check_name(name: str) -> None:
    """Raises ValueError for a name that leads out of the folder that it is fetched into."""
    path = PurePosixPath(name)
    if path.is_absolute() or "\\" in name or ":" in name or not path.parts or any(p in ("..", ".") for p in path.parts):
        raise ValueError(f"the hub has a file called {quoted(name)}, which cannot be a file here")
    usable_path(name)


def _check_room(to: Path, needed: int) -> None:
    free = shutil.disk_usage(to.parent).free
    if needed + SPARE > free:
        raise ValueError(f"{shortened(str(to.parent))} has {free:,} bytes free; {needed:,} more are needed")


def _keep(library: Path, path: Path, remote: Remote) -> None:
    """What the hub has said of it: of a file its hash, and where it is; of either its licence."""
    sha256 = "" if remote.is_folder else remote.files[0].sha256.lower()
    kept = open_kept(library)
    try:
        if sha256:
            keep(kept, str(path), stamp(path.stat()), sha256)
            kept.execute("INSERT OR REPLACE INTO source VALUES (?, ?)", (sha256, remote.address))
        if remote.licence:
            kept.execute("INSERT OR REPLACE INTO licence VALUES (?, ?)", (sha256 or str(path), remote.licence))
    finally:
        kept.close()
