"""What is said of an engine that ended is what is known of it."""

from nodegraph.running.client import _sentence, broken_sentence
from tests.examples import each


def test_a_kill_that_nobody_here_sent_is_not_blamed_on_memory():
    said = _sentence(-9, "sample", why="")
    assert "Something outside the program ended the engine while it was running 'sample' (SIGKILL)" in said
    assert "left no reason" in said
    assert "memory ran out" not in said


def test_a_kill_is_blamed_on_memory_where_the_system_counted_one():
    said = _sentence(-9, "sample", why="", short=True)
    assert "(SIGKILL): memory had run out, and the system ended a process to get some back" in said
    assert "The next run starts it again" in said


def test_a_kill_that_the_system_did_not_count_was_not_for_want_of_memory():
    said = _sentence(-9, "sample", why="", short=False)
    assert "left no reason; it was not the system for want of memory" in said
    assert "smaller picture" not in said


def test_a_process_that_was_exchanged_for_one_with_other_settings_is_said_to_be():
    said = _sentence(-9, "sample", why="was started again with other settings")
    assert said == "The engine was started again with other settings while it was running 'sample'."


def test_what_a_broken_device_was_at_is_named():
    assert broken_sentence("sample", "an illegal memory access") == (
        "The device gave up while it was running 'sample' (an illegal memory access)."
    )


def test_a_kill_of_our_own_is_said_to_be_one():
    assert "did not react" in _sentence(-9, "sample", why="did not react")


@each(
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
    said = _sentence(code, None, why="")
    assert words in said or (code == -40 and "(signal 40)" in said)
    assert "The next run starts it again" in said
