"""Two processes look at files at once; what one of them leaves undone, the other one does."""

from __future__ import annotations

import io
import json
import signal
from contextlib import closing
from pathlib import Path

import pytest

from nodegraph.library import looking
from nodegraph.library.looking import Lookers, answer
from nodegraph.library.scan import update
from nodegraph.library.store import open_index
from nodegraph.library.walk import Place, Walk
from nodes.stock import STOCK as MODELS
from tests import headers
from tests.nodegraph.library.shelf import STOCK, jar


@pytest.fixture
def places(tmp_path: Path) -> list[Place]:
    for number in range(9):
        jar(tmp_path / "cellar" / f"{number}.jar", f"jam:plum:{number}")
    return [*Walk(STOCK).places((str(tmp_path / "cellar"),))]


def test_what_is_asked_in_lines_is_answered_as_if_one_looked_oneself(places: list[Place]):
    out = io.StringIO()
    answer([json.dumps(places[:4]), json.dumps(places[4:])], out, STOCK)
    told = [(text, tuple(values)) for line in out.getvalue().splitlines() for text, values in json.loads(line)]
    assert told == Lookers(STOCK, None, len(places)).rows(places)


class Gone:
    """Another process that was asked, and ended."""

    def __init__(self) -> None:
        self.closed = 0

    def ask(self, places: list[Place]) -> None:
        pass

    def answer(self) -> None:
        raise ValueError("nothing was said")

    def close(self) -> None:
        self.closed += 1


def test_when_the_other_process_ends_one_looks_at_everything_alone(places: list[Place]):
    alone, lookers = Lookers(STOCK, None, len(places)), Lookers(STOCK, None, len(places))
    lookers._other = gone = Gone()  # pyright: ignore
    assert lookers.rows(places) == alone.rows(places) == lookers.rows(places)
    assert gone.closed == 1


@pytest.mark.slow
@pytest.mark.parametrize("is_killed", [False, True])
def test_two_processes_find_what_one_finds_and_leave_none_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_killed: bool
):
    folder = tmp_path / "models"
    folder.mkdir()
    for number in range(250):
        headers.zeros(folder / f"{number}.safetensors", {"emb_params": (1 + number % 70, 8)})
    (folder / "damaged é.safetensors").write_bytes(b"none")

    def found(name: str, package: str | None) -> list[tuple[object, ...]]:
        update(tmp_path / name, [str(folder)], MODELS, heard, package)
        with closing(open_index(tmp_path / name)) as index:
            return [row[1:] for row in index.execute("SELECT * FROM file ORDER BY path")]  # without its number

    started: list[looking._Other] = []

    def heard(done: int, whole: int) -> None:
        if is_killed and done and started:
            started[0]._process.kill()

    def start(package: str, make: type[looking._Other] = looking._Other) -> looking._Other:
        started.append(make(package))
        return started[-1]

    alone = found("alone", None)
    monkeypatch.setattr(looking, "MANY", 10)
    monkeypatch.setattr(looking, "_Other", start)
    assert found("two", "nodes") == alone
    assert len(alone) == 251
    (other,) = started
    assert other._process.poll() == -signal.SIGKILL
