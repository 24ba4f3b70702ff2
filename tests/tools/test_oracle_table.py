"""The table of docs/oracle.md: it is whole, and what it says is so."""

from __future__ import annotations

import pytest

from tests.examples import some_slow
from tools.oracle.asking import TASKS
from tools.oracle.cells import LIMIT, cell
from tools.oracle.files import Files
from tools.oracle.page import PAGE, cells, is_missing, kept, table
from tools.oracle.rows import ROWS, Row

pytestmark = pytest.mark.filterwarnings("ignore")
"""The stock pipelines warn of their own parts: names that moved, second LoRAs, timesteps that they are given."""

QUICK = [("sd1", "inpaint"), ("pixel", "few steps: LCM")]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("oracle"))


def row(name: str) -> Row:
    return next(row for row in ROWS if row.name == name)


@pytest.mark.parametrize(("name", "task"), some_slow(QUICK, QUICK[1:]))
def test_a_sample_of_cells_is_within_the_limit(name: str, task: str, files: Files):
    errors = cell(row(name), task, files)
    assert errors
    assert max(errors.values()) <= LIMIT


@pytest.mark.slow
@pytest.mark.parametrize("name", [row.name for row in ROWS])
@pytest.mark.parametrize("task", TASKS)
def test_every_cell_is_within_the_limit(name: str, task: str, files: Files):
    errors = cell(row(name), task, files)
    assert max((errors or {"none": 0.0}).values()) <= LIMIT


def test_the_page_has_every_cell_and_none_above_the_limit():
    found = cells(PAGE.read_text("utf-8"))
    assert found.keys() == {(task, row.title) for task in TASKS for row in ROWS}
    for row in ROWS:
        for task in TASKS:
            shown = found[task, row.title]
            if task in row.why:
                assert shown.startswith("(")
            else:
                errors = [float(number) for number in shown.split(" · ")]
                assert len(errors) == len(row.places)
                assert max(errors) <= LIMIT


def test_a_table_is_written_as_it_is_read():
    errors = {"folder": 2.34e-6, "file": 0.0}
    results = {task: {row.name: None if task in row.why else errors for row in ROWS} for task in TASKS}
    found = cells(table(results))
    assert found["text", "Stable Diffusion 1.x"] == "2e-6 · 0"
    assert found["refiner", "Stable Diffusion 1.x"].startswith("(")


def test_what_is_not_made_anew_stays():
    before = PAGE.read_text("utf-8")
    assert cells(table(kept(before))) == cells(before)


def test_a_cell_that_should_have_a_number_and_has_none_is_missing():
    before = kept(PAGE.read_text("utf-8"))
    assert not any(is_missing(before, row, task) for row in ROWS for task in TASKS)
    del before["text"]["sd1"]
    before["text"]["sd2"] = None
    assert [(row.name, task) for row in ROWS for task in TASKS if is_missing(before, row, task)] == [
        ("sd1", "text"),
        ("sd2", "text"),
    ]


def test_what_has_no_meaning_says_why_in_a_sentence():
    for row in ROWS:
        assert set(row.why) <= set(TASKS)
        assert all(reason.endswith(".") for reason in row.why.values())
