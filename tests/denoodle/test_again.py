"""What a command that begins anew knows of the processes before it."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denoodle import again
from denoodle.again import Before


@given(st.lists(st.sampled_from([None, "a", "b", "c", "d", "e"]), min_size=4, max_size=20))
def test_whatever_nodes_a_device_gives_up_at_the_run_comes_to_an_end(nodes: list[str | None]):
    known, anew = Before(), 0
    for node in nodes:
        if not known.may_go_on(node):
            break
        anew += 1
        known.nodes.append(node)
    else:
        pytest.fail("it would begin anew for ever")
    assert anew == min(again.MOST, next((i for i, node in enumerate(nodes) if node in nodes[:i]), again.MOST))


def test_what_was_known_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    place = tmp_path / "known.json"
    place.write_text(json.dumps({"nodes": ["a"], "images": ["a.png"], "written": {"key": ["a.png"]}}))
    monkeypatch.setenv(again.VARIABLE, str(place))
    assert again.before() == Before(["a"], ["a.png"], {"key": ["a.png"]})
    assert not place.exists()
    assert again.before() == Before()


@pytest.mark.parametrize("text", ["", "[]", "7", '{"nodes": ["a"], "colour": 1}', "nonsense"])
def test_a_damaged_file_is_as_none(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    place = tmp_path / "known.json"
    place.write_text(text)
    monkeypatch.setenv(again.VARIABLE, str(place))
    assert again.before() == Before()


def test_a_file_that_is_gone_is_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(again.VARIABLE, str(tmp_path / "gone.json"))
    assert again.before() == Before()
