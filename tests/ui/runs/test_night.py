"""What the queue did while nobody looked: told in the morning, once, and after a restart too."""

import json
from pathlib import Path

import pytest

from nodegraph.running.messages import Failed, Idle, Saved
from tests.ui.engines import slow
from tests.ui.runs.test_forecast import StandingEngine
from ui.runs.night import LONG, Night, Report
from ui.runs.queue import Queue

EVENING = 1_000_000.0


class Dark:
    """A queue on an engine that is none, and a clock that is set by hand."""

    def __init__(self, file: Path | None = None) -> None:
        self.engine, self.clock, self.away = StandingEngine(), EVENING, 10 * LONG
        self.queue = Queue(self.engine)  # type: ignore[arg-type]
        self.night = Night(self.queue, lambda: self.away, file, lambda: self.clock)
        self.finished: list[Report] = []
        self.night.finished.connect(self.finished.append)

    def run(self, *whys: str, document: str = "fox", seconds: float = LONG) -> None:
        """Jobs, which fail for these reasons; an empty one is made."""
        for number, _ in enumerate(whys):
            self.queue.add(slow(1), ("save",), str(number), document=document)
        for number, why in enumerate(whys):
            self.clock += seconds
            self.engine.tell(Failed("slow", why) if why else Saved("save", f"/pictures/{document}{number}.png"))
            self.engine.tell(Idle(1, 0, seconds))
        self.night._look()


@pytest.fixture
def dark(qapp) -> Dark:
    return Dark()


def test_in_the_morning_it_is_told_what_was_made_and_why_what_failed_by_document(dark: Dark):
    dark.queue.add(slow(1), ("save",), "0", document="owl")
    dark.clock += LONG
    dark.engine.tell(Saved("save", "/pictures/owl.png"))
    dark.engine.tell(Idle(1, 0, 1.0))
    dark.run("no room", "no room", "")
    (report,) = dark.night.reports
    assert (report.began, report.ended, report.whole) == (EVENING, dark.clock, True)
    assert (report.made, report.failed) == (2, 2)
    owl, fox = report.tallies
    assert (owl.document, owl.made, owl.pictures) == ("owl", 1, ("/pictures/owl.png",))
    assert fox.reasons == (("slow: no room", 2),)


@pytest.mark.parametrize(("seconds", "away"), [(1.0, 10 * LONG), (LONG, 3.0)])
def test_what_was_short_or_seen_by_somebody_is_no_report_though_it_is_finished(dark: Dark, seconds: float, away: float):
    dark.away = away
    dark.run("", "", seconds=seconds)
    assert not dark.night.reports
    assert [report.made for report in dark.finished] == [2]


def test_a_queue_that_a_person_paused_has_not_come_to_its_end(dark: Dark):
    dark.queue.add(slow(1), ("save",), "a")
    dark.queue.add(slow(1), ("save",), "b")
    dark.clock += LONG
    dark.queue.pause()
    dark.engine.tell(Idle(1, 0, 1.0))
    dark.night._look()
    assert not dark.finished


def test_it_is_there_after_a_restart_until_it_is_dismissed(qapp, tmp_path: Path):
    file = tmp_path / "reports.json"
    dark = Dark(file)
    dark.run("", "no room")
    dark.night.close()
    later = Dark(file)
    assert later.night.reports == dark.night.reports
    later.night.dismiss()
    later.night.close()
    assert Dark(file).night.reports == []


def test_of_a_program_that_ended_in_the_night_it_is_told_how_far_the_queue_came(qapp, tmp_path: Path):
    file = tmp_path / "reports.json"
    dark = Dark(file)
    for number in range(3):
        dark.queue.add(slow(1), ("save",), str(number), document="fox")
    for _ in range(2):
        dark.clock += LONG
        dark.engine.tell(Idle(1, 0, 1.0))
    dark.night._file.flush()  # type: ignore[union-attr]
    (report,) = Dark(file).night.reports
    assert (report.made, report.whole) == (2, False)


@pytest.mark.parametrize(
    "text", ["[]", '{"reports": [{"began": 5}], "current": null}', '{"reports": [], "current": 7}']
)
def test_a_file_that_is_damaged_is_kept_aside_and_said(qapp, tmp_path: Path, text: str):
    file = tmp_path / "reports.json"
    file.write_text(text)
    dark = Dark(file)
    assert "cannot be read" in dark.night.complaints[0]
    assert dark.night.reports == []


def test_times_that_no_clock_shows_are_damage(qapp, tmp_path: Path):
    file = tmp_path / "reports.json"
    report = {"began": 9.0, "ended": 3.0, "tallies": [], "whole": True}
    file.write_text(json.dumps({"reports": [report], "current": None}))
    assert Dark(file).night.complaints


def test_many_reasons_do_not_make_it_grow(dark: Dark):
    dark.run(*(f"reason {number}" for number in range(40)))
    (report,) = dark.night.reports
    assert len(report.tallies[0].reasons) == 20
    assert report.failed == 40
