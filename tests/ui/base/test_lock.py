"""A lock is held by a process that lives, and by no other."""

import subprocess
import sys
from pathlib import Path

import pytest

from ui.base.lock import lock


def killed(path: Path) -> None:
    """Leave the lock of a process that was killed."""
    code = (
        "import os; from pathlib import Path; from ui.base.lock import lock; "
        f"held = lock(Path({str(path)!r})); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])
    assert path.exists()


def test_the_lock_of_a_process_that_is_gone_is_free(tmp_path: Path):
    killed(tmp_path / "a.lock")
    assert lock(tmp_path / "a.lock")


@pytest.mark.skipif(sys.platform == "win32", reason="there, the number is all that tells")
def test_the_lock_of_a_process_that_is_gone_is_free_when_another_program_has_its_number_now(tmp_path: Path):
    path = tmp_path / "a.lock"
    killed(path)
    _, *rest = path.read_text().split("\n")
    sleeper = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        path.write_text("\n".join([str(sleeper.pid), *rest]))
        assert lock(path)
    finally:
        sleeper.communicate()


def test_what_a_kill_left_of_clearing_a_lock_away_holds_up_nothing(tmp_path: Path):
    killed(tmp_path / "a.lock")
    (tmp_path / "a.lock.rmlock").touch()  # as Qt makes it
    assert lock(tmp_path / "a.lock")


@pytest.mark.skipif(sys.platform == "win32", reason="there, age is all that tells")
def test_the_empty_lock_of_a_process_that_was_killed_while_making_it_is_free(tmp_path: Path):
    (tmp_path / "a.lock").touch()
    assert lock(tmp_path / "a.lock")


def test_a_lock_that_is_held_is_not_given_twice(tmp_path: Path):
    held = lock(tmp_path / "a.lock")
    assert held
    assert lock(tmp_path / "a.lock") is None
    held.unlock()
    assert lock(tmp_path / "a.lock")
