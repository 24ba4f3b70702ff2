"""What is said of an engine that ended is what is known of it."""

import pytest

from nodegraph.running.client import _sentence


def test_a_kill_that_nobody_here_sent_is_not_blamed_on_memory():
    said = _sentence(-9, "sample", killed=False)
    assert "Something outside the program ended the engine while it was running 'sample' (SIGKILL)" in said
    assert "left no reason" in said
    assert "memory ran out" not in said


def test_a_kill_of_our_own_is_said_to_be_one():
    assert "did not react" in _sentence(-9, "sample", killed=True)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (-15, "Something outside the program ended the engine while nothing was running (SIGTERM)"),
        (-11, "The engine crashed while nothing was running (SIGSEGV)"),
        (-40, "(SIG"),
        (-120, "(signal 120)"),
        (3, "(exit code 3)"),
        (None, "(exit code None)"),
    ],
)
def test_every_end_has_its_words(code: int | None, words: str):
    said = _sentence(code, None, killed=False)
    assert words in said or (code == -40 and "(signal 40)" in said)
    assert "The next run starts it again" in said
