"""Files that the program keeps for itself: what cannot be read is set aside, named, and never lost."""

import json
import os
from pathlib import Path

import pytest

from nodegraph.formats.files import MOST_ASIDE, Damaged, read_own, set_aside, usable_path
from tests.examples import each

LIMIT = 1 << 20


def number(data: bytes) -> int:
    """A parser as careless as they come."""
    return int(json.loads(data)["number"])


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "Expecting value"),
        (b'"\xff"', "codec can't decode"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[1]", "list indices"),
        (b"{}", "'number' is missing"),
        (b'{"number": 1e999}', "infinity"),
        (b'{"number": NaN}', "NaN"),
        (b'{"number": null}', "NoneType"),
        (b'{"number": %s}' % (b"9" * 5000), "a number of more digits than can be read"),
        (b'{"number": "%s"}' % (b"x" * 5000), "invalid literal"),
        (b" " * (LIMIT + 1), "larger than 1 MB"),
    ],
)
def test_a_damaged_file_is_set_aside_and_said_in_one_sentence(tmp_path: Path, content: bytes, why: str):
    file = tmp_path / "count.json"
    file.write_bytes(content)
    with pytest.raises(Damaged) as raised:
        read_own(file, "the count", LIMIT, number)
    said = str(raised.value)
    assert said.startswith(f"the count in {file} cannot be read (")
    assert why in said
    assert said.endswith("it is kept as count.damaged")
    assert "\n" not in said
    assert len(said) < 300 + len(str(file))
    assert not file.exists()
    assert (tmp_path / "count.damaged").read_bytes() == content


def test_a_folder_in_the_place_of_a_file_is_set_aside(tmp_path: Path):
    (tmp_path / "count.json" / "inside").mkdir(parents=True)
    with pytest.raises(Damaged, match="Is a directory"):
        read_own(tmp_path / "count.json", "the count", LIMIT, number)
    assert (tmp_path / "count.damaged" / "inside").is_dir()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "count.json")
    with pytest.raises(Damaged, match="not a file"):
        read_own(tmp_path / "count.json", "the count", LIMIT, number)


def test_a_link_that_leads_to_itself_is_set_aside(tmp_path: Path):
    (tmp_path / "count.json").symlink_to("count.json")
    with pytest.raises(Damaged):
        read_own(tmp_path / "count.json", "the count", LIMIT, number)
    assert (tmp_path / "count.damaged").is_symlink()


def test_no_file_is_no_damage(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        read_own(tmp_path / "count.json", "the count", LIMIT, number)


def test_a_file_that_cannot_be_moved_is_said_to_be_where_it_is(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(Damaged, match="could not be set aside"):
        read_own(tmp_path / "file" / "count.json", "the count", LIMIT, number)


def test_what_was_set_aside_before_stays_up_to_a_number(tmp_path: Path):
    for n in range(MOST_ASIDE + 2):
        (tmp_path / "count.json").write_text(str(n))
        assert set_aside(tmp_path / "count.json")
    kept = sorted(int(file.read_text()) for file in tmp_path.iterdir())
    assert kept == [*range(1, MOST_ASIDE), MOST_ASIDE + 1]


@each("name", ["a\0b", "half \ud800", "x" * 256, "ä" * 128, "x/" * 2500])
def test_a_path_that_no_file_can_have_is_refused(name: str):
    with pytest.raises(ValueError, match=r"zero byte|surrogates not allowed|longer than 255 bytes"):
        usable_path(name)


@each("name", ["", "x" * 255, "ä" * 127, os.fsdecode(b"latin \xe4"), "/a/../b"])
def test_a_path_that_a_file_may_have_is_kept(name: str):
    assert usable_path(name) == Path(name)
