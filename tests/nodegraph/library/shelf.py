"""A domain of jars for tests of the library: what a jar says of itself is in its first line."""

from __future__ import annotations

import os
import time
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from nodegraph.domain import Fetched, Remote, RemoteFile, Stock, Told


def look(path: Path) -> Told | None:
    text = (path / "whole.txt").read_text() if path.is_dir() else path.read_text()
    kind, _, rest = text.split("\n")[0].partition(":")
    if kind == "broken":
        raise ValueError(f"{path} is broken")
    if kind not in ("jam", "pickle"):
        return None
    families, _, words = rest.partition(":")
    return Told(kind, tuple(filter(None, families.split(","))), "glass", tuple(filter(None, words.split(","))))


class Grocer:
    """Fetches from the folder TOY_HUB; while there is a file `slow` in it, a byte at a time and never to the end."""

    title = "the grocer"

    def address(self, text: str) -> str:
        if not text.startswith("jar:"):
            raise ValueError(f"{text} is no address of the grocer")
        return text

    def ask(self, address: str) -> tuple[Remote, ...]:
        folder = Path(os.environ["TOY_HUB"])
        name = self.address(address).removeprefix("jar:")
        paths = sorted(folder.glob(f"{name}*.jar"))
        if not paths:
            raise ValueError(f"the grocer has no {name}")
        return tuple(map(self._remote, paths))

    def _remote(self, path: Path) -> Remote:
        data = path.read_bytes()
        kind, _, rest = data.decode().partition(":")
        file = RemoteFile(path.name, len(data), sha256(data).hexdigest())
        families = tuple(filter(None, rest.partition(":")[0].split(",")))
        return Remote(f"jar:{path.stem}", path.name, (file,), "", "", "CC0", kind=kind, families=families)

    def pull(self, remote: Remote, file: RemoteFile, into: BinaryIO, begin: int, heard: Fetched) -> None:
        folder = Path(os.environ["TOY_HUB"])
        for place, byte in enumerate((folder / file.name).read_bytes()[begin:], begin + 1):
            while (folder / "slow").exists() and place > 3:
                time.sleep(0.01)
            into.write(bytes([byte]))
            into.flush()
            heard(place)


STOCK = Stock(
    kinds={"jam": "Jams", "pickle": "Pickles"},
    families={"plum": "Plums", "fig": "Figs"},
    suffixes=(".jar",),
    marks=("whole.txt",),
    places={"jams": "jam"},
    beside=(".label",),
    parts=lambda folder: frozenset({"parts", "whole.txt"}),
    look=look,
    hub=Grocer(),
)


def jar(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path
