"""The verdict over a long day."""

import gc
import time
from dataclasses import replace

import pytest

from tools.page import marks
from tools.soak import __main__ as command
from tools.soak.report import WAIT, Outcome, broken, slope, slopes, table
from tools.soak.watch import Probe, Sample, Wait, sample

FLAT = Sample(0.0, 100.0, 150.0, 16, 8, 27_000, 300, 400.0)


def outcome(minutes: float = 20, grows: float = 0.0, waits: float = 0.001, **changed: float) -> Outcome:
    """An evening a minute. grows: MB a minute. changed: other figures of the last evening."""
    evenings = [replace(FLAT, minute=float(m), uss=100 + grows * m) for m in range(1, round(minutes) + 1)]
    evenings[-1] = replace(evenings[-1], **changed)
    return Outcome(minutes, evenings, [Wait(float(n), waits, 0.0) for n in range(1000)], [])


def test_the_slope_is_that_of_the_line():
    assert slope([(x, 3 + 0.25 * x) for x in range(9)]) == pytest.approx(0.25)
    assert slope([(1.0, 5.0)]) == slope([]) == slope([(1.0, 5.0), (1.0, 7.0)]) == 0.0


def test_a_day_that_levels_off_holds_every_limit():
    assert broken(outcome(grows=0.09)) == []


def test_what_grows_for_good_breaks_its_limit():
    (said,) = broken(outcome(grows=0.11))
    assert said == "memory of the window's own, MB: 0.11 more each minute; 0.1 at most"
    assert broken(outcome(files=60))[0].startswith("open files: ")


def test_what_grows_in_the_first_minutes_does_not_count():
    early = outcome()
    grown = [replace(e, uss=50 + 10 * min(e.minute, 5)) for e in early.evenings]
    assert broken(replace(early, evenings=grown)) == []


def test_the_slope_of_a_short_run_is_shown_and_not_judged():
    short = outcome(minutes=3, grows=4.0)
    assert slopes(short)["uss"] == pytest.approx(4.0)
    assert broken(short) == []


def test_late_events_and_exceptions_are_broken_limits():
    late = outcome(waits=WAIT * 2)
    assert broken(late) == ["one event in a hundred waits 100 ms; 50 at most"]
    once = replace(outcome(), waits=[Wait(0.0, 3.0, 0.0), *outcome().waits])
    assert broken(once) == []
    assert broken(replace(outcome(), faults=["Traceback:\nKeyError: 'x'"])) == ["an exception: KeyError: 'x'"]


def test_the_page_keeps_what_others_wrote_when_the_table_is_written_again(tmp_path, monkeypatch, qapp):
    page = tmp_path / "reliability.md"
    monkeypatch.setattr(command, "PAGE", page)
    monkeypatch.setattr(command, "CHART", tmp_path / "soak.png")
    page.write_text("# Reliability\n\n## Soak\n\nWhat it does.\n\n" + "old".join(marks("soak")) + "\n\n## More\n")
    for _ in range(2):
        command.write(outcome(), 1)
    text = page.read_text()
    assert text.startswith("# Reliability\n\n## Soak\n\nWhat it does.\n")
    assert text.endswith("\n\n## More\n")
    assert text.count("| open files |") == 1
    assert "old" not in text
    assert (tmp_path / "soak.png").stat().st_size > 1000


def test_a_page_that_is_not_there_is_begun(tmp_path, monkeypatch, qapp):
    monkeypatch.setattr(command, "PAGE", tmp_path / "reliability.md")
    monkeypatch.setattr(command, "CHART", tmp_path / "soak.png")
    command.write(outcome(), 1)
    assert "## Soak" in (tmp_path / "reliability.md").read_text()


def test_a_sample_is_of_this_process(qapp):
    now = sample(0.0, None)
    assert 0 < now.uss <= now.rss
    assert now.files >= 3
    assert now.threads >= 1
    assert now.engine == 0


def test_objects_that_are_set_aside_count(qapp):
    before = sample(0.0, None).python
    gc.freeze()
    assert sample(0.0, None).python > 0.9 * before


def test_the_table_has_a_row_for_every_figure():
    assert table(outcome()).count("\n| ") == 12


def test_an_event_waits_for_as_long_as_the_window_computes(qtbot):
    probe = Probe()
    probe.start()
    qtbot.waitUntil(lambda: len(probe.waits) > 2)
    before = time.thread_time()
    while time.thread_time() - before < 0.2:
        pass
    qtbot.waitUntil(lambda: max(wait.busy for wait in probe.waits) > 0.1)
    probe.stop()
    assert all(wait.seconds >= 0 and wait.busy >= 0 for wait in probe.waits)


def test_the_measuring_itself_leaves_no_objects(qtbot):
    probe = Probe()
    probe.start()
    qtbot.waitUntil(lambda: len(probe.waits) > 2)
    gc.collect()
    before, waits = len(gc.get_objects()), len(probe.waits)
    qtbot.waitUntil(lambda: len(probe.waits) > waits + 40)
    gc.collect()
    after = len(gc.get_objects())
    probe.stop()
    assert after - before < 20
