"""What calls took, as one process leaves it for another. How it is used: tests/ui/runs/test_due.py."""

from pathlib import Path

from nodegraph.running.pace import Pace


def test_what_another_process_measured_meanwhile_stays_and_ours_goes_before_theirs(tmp_path: Path):
    file = tmp_path / "data" / "pace.json"
    ours, theirs = Pace(), Pace()
    theirs.learn("a", 1.0)
    theirs.learn("b", 2.0)
    ours.learn("b", 3.0)
    ours.learn("c", 4.0)
    theirs.save(file)
    ours.save(file)
    found = Pace()
    found.load(file)
    assert [found.seconds(kind) for kind in "abcd"] == [1.0, 3.0, 4.0, None]
    theirs.learn("a", 5.0)
    theirs.save(file)
    ours.save(file)  # what it read of others the time before is not its own
    found.load(file)
    assert found.seconds("a") == 5.0
