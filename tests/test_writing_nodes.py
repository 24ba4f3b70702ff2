"""What docs/writing-nodes.md says works: it is done in a copy of the program, and the tests it adds are run there."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "writing-nodes.md"
PARTS = ("nodegraph", "nodes", "ui", "tests", "workflows")
BLOCK = re.compile(r"^```(python|diff)\n# (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks() -> list[tuple[str, Path, str]]:
    return [(kind, Path(name), text) for kind, name, text in BLOCK.findall(PAGE.read_text("utf-8"))]


def changed(text: str, patch: str) -> str:
    """The text with the lines of a patch taken out and put in, at the one place where they fit."""
    lines = [(line[:1] or " ", line[1:]) for line in patch.splitlines()]
    before, after = ("".join(f"{line}\n" for sign, line in lines if sign in " " + keep) for keep in "-+")
    assert text.count(before) == 1, f"this is {text.count(before)} times in the file:\n{before}"
    return text.replace(before, after)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the program, with all that the page says."""
    folder = tmp_path_factory.mktemp("copy")
    for part in PARTS:
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    for kind, name, text in blocks():
        target = folder / name
        target.write_text(changed(target.read_text("utf-8"), text) if kind == "diff" else text, "utf-8")
    return folder


def test_an_addition_touches_as_few_files_as_the_page_on_architecture_says():
    touched = {str(name) for _, name, _ in blocks()}
    nodes = {"nodes/duotone.py", "tests/nodes/test_duotone.py"}
    sockets = {"nodes/types.py", "tests/nodes/test_histogram.py"}
    solvers = {"nodes/backend/solvers.py", "tests/nodes/test_solvers.py"}
    panels = {"ui/panels/census.py", "ui/window/panels.py", "tests/ui/panels/test_census.py"}
    assert touched == nodes | sockets | solvers | panels


@pytest.mark.slow
def test_what_the_page_adds_passes_its_tests(copy: Path):
    added = [str(name) for kind, name, _ in blocks() if kind == "python" and name.name.startswith("test_")]
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", *added, "tests/nodes/test_solvers.py"]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_a_solver_without_an_oracle_is_refused(copy: Path, tmp_path: Path):
    shutil.copytree(copy, tmp_path / "again")
    shutil.copy(ROOT / "tests" / "nodes" / "test_solvers.py", tmp_path / "again" / "tests" / "nodes")
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "tests/nodes/test_solvers.py", "-k", "oracle"]
    done = subprocess.run(command, cwd=tmp_path / "again", capture_output=True, text=True, timeout=300)
    assert "test_every_solver_is_named_and_has_an_oracle" in done.stdout
    assert done.returncode == 1
