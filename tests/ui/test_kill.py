"""Processes that edit and save are killed at random moments: every document comes back complete."""

import multiprocessing
import random
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from nodegraph import workflow
from nodegraph.graph import Graph
from tests.ui import editing_life
from tests.ui.editing_life import START, Told, count, next_edit
from ui import journal

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a server that forks")


class Lives:
    """Starts and kills processes that all work on one document."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder / "state", folder / "work.json"
        workflow.save(START, self.file)
        self.graphs = {0: START}  # what the document must be after so many edits
        self.edited = self.saved = 0  # what the last life is known to have got done
        # A fork of a process that has imported everything starts in milliseconds.
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload([editing_life.__name__, "pytest"])

    def live_and_die(self, seconds: float, *, save_first: bool) -> None:
        """seconds: from when the document is open, or from when the process has saved, to the kill."""
        here, there = self.context.Pipe(duplex=False)
        process = self.context.Process(target=editing_life.live, args=(self.folder, self.file, there))
        process.start()
        there.close()
        saved = self.saved
        self._listen(here.recv())
        while save_first and self.saved == saved:
            self._listen(here.recv())
        time.sleep(seconds)
        process.kill()
        process.join()
        self._drain(here)
        here.close()
        assert process.exitcode == -9

    def _drain(self, here: Connection) -> None:
        try:
            while here.poll():
                self._listen(here.recv())
        except EOFError:
            return

    def _listen(self, told: Told) -> None:
        assert told.what != "touched", "nobody else has written the file"
        if told.what == "opened":
            assert told.number >= max(self.edited, self.saved), "edits were lost"
        if told.what == "saved":
            self.saved = told.number
        self.edited = max(self.edited, told.number)

    def graph(self, number: int) -> Graph:
        for known in range(max(self.graphs), number):
            self.graphs[known + 1] = next_edit(self.graphs[known])
        return self.graphs[number]

    def check(self) -> None:
        """What the dead process left behind."""
        in_file = workflow.load(self.file)
        assert count(in_file) >= self.saved
        assert in_file == self.graph(count(in_file))
        logs = [*(self.folder / "journals").glob("*.journal")]
        if not logs:
            assert self.edited == 0, "the document was edited, and its journal is gone"
            return
        (log,) = logs
        left = journal.read(log)
        assert count(left.graph) >= max(self.edited, count(in_file))
        assert left.graph == self.graph(count(left.graph))
        assert left.path == self.file
        assert left.dirty or left.graph == in_file
        self.edited = count(left.graph)
        self.graphs = {n: g for n, g in self.graphs.items() if n >= count(in_file)}


@pytest.mark.parametrize("kills", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_every_document_comes_back_complete_from_random_kills(tmp_path: Path, kills: int):
    lives, chance = Lives(tmp_path), random.Random(kills)
    for number in range(kills):
        # However slow the machine is, some get far enough to save.
        lives.live_and_die(chance.uniform(0, 0.15), save_first=number % 4 == 0)
        lives.check()
    assert lives.saved > kills
