"""Whatever a hub does, nothing is ever offered that is not whole and right; and nothing is asked of it unasked."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from huggingface_hub import constants

import nodes.backend.hub as hub_module
from nodegraph import program
from nodegraph.domain import Remote
from nodegraph.library import download
from nodegraph.library.download import Fetch, discard, fetched, place_for, unfinished
from nodegraph.library.library import Library
from nodegraph.library.scan import update
from nodegraph.running.errand import Done, Errand, Refused, Went
from nodes.backend.hub import ModelHub, parse
from nodes.stock import STOCK
from tests.examples import each
from tests.headers import zeros
from tests.nodes.local_hub import COMMIT, LocalHub, serving

REPO = "people/model"
LORA = {"lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q.lora_down.weight": (4, 320)}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    name = next(iter(LORA))
    shapes = {**LORA, name.replace("down.weight", "up.weight"): (320, 4), "more": (20_000,)}
    content = zeros(tmp_path / "made.safetensors", shapes).read_bytes()
    hub = LocalHub(REPO, {"loras/style.safetensors": content, "old.ckpt": b"\x80", "README.md": b"words"})
    monkeypatch.setenv("DENOODLE_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr("huggingface_hub.utils._headers.get_token", lambda: None, raising=False)
    with serving(hub) as address:
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}"
        )
        yield hub


STYLE = f"https://huggingface.co/{REPO}/blob/main/loras/style.safetensors"


def style() -> Remote:
    (remote,) = ModelHub().ask(STYLE)
    return remote


def fetch(remote: Remote, to: Path, told: list[tuple[int, int]] | None = None) -> Path:
    told = [] if told is None else told
    wanted = Fetch(remote, str(to), str(to.parent / "library"))
    return fetched(ModelHub(), wanted, lambda there, whole: told.append((there, whole)))


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name[0] != "." and path.name != "library")


@each(
    ("text", "expected"),
    [
        (f"https://huggingface.co/{REPO}", f"https://huggingface.co/{REPO}"),
        (f" https://huggingface.co/{REPO}/ ", f"https://huggingface.co/{REPO}"),
        (f"https://hf.co/{REPO}/tree/main", f"https://huggingface.co/{REPO}"),
        (REPO, f"https://huggingface.co/{REPO}"),
        (STYLE, STYLE.replace("blob", "resolve")),
        (f"{STYLE}?download=true#here", STYLE.replace("blob", "resolve")),
        (f"hf://{REPO}/loras/style.safetensors", STYLE.replace("blob", "resolve")),
        (
            f"hf://{REPO}@refs%2Fpr%2F1/a b.safetensors",
            f"https://huggingface.co/{REPO}/resolve/refs%2Fpr%2F1/a%20b.safetensors",
        ),
    ],
)
def test_addresses_are_read_as_people_copy_them(text: str, expected: str):
    assert ModelHub().address(text) == expected
    assert ModelHub().address(expected) == expected


@each(
    "text",
    [
        "",
        "model",
        "/etc/passwd",
        "../..",
        f"http://huggingface.co/{REPO}",
        f"https://huggingface.co.evil.example/{REPO}",
        f"https://huggingface.co@evil.example/{REPO}",
        f"https://user:word@huggingface.co/{REPO}",
        f"https://huggingface.co:8080/{REPO}",
        f"https://civitai.com/{REPO}",
        f"file:///{REPO}",
        "https://huggingface.co/datasets/people/pictures",
        "https://huggingface.co/spaces/people/space",
        f"https://huggingface.co/{REPO}/discussions/1",
        f"https://huggingface.co/{REPO}/resolve/main/../../other.safetensors",
        f"https://huggingface.co/{REPO}/resolve/main/%2e%2e/other.safetensors",
        f"https://huggingface.co/{REPO}/resolve/..%2f../a.safetensors",
        f"hf://{REPO}/a\\b.safetensors",
        f"hf://{REPO}@-x/a.safetensors",
        f"https://huggingface.co:{'a' * 1000}/{REPO}",
        f"https://huggingface.co:99999/{REPO}",
        f"https://[huggingface.co/{REPO}",
        f"https://huggingface.co\u2100/{REPO}",
    ],
)
def test_what_is_no_address_of_a_model_is_refused(text: str):
    with pytest.raises(ValueError, match=r"no address|names neither") as refusal:
        parse(text)
    assert len(str(refusal.value)) < 300


def test_size_licence_hash_and_kind_are_known_before_anything_is_fetched(hub: LocalHub):
    remote = style()
    content = hub.files["loras/style.safetensors"]
    assert (remote.name, remote.size, remote.licence, remote.commit) == (
        *("style.safetensors", len(content), "apache-2.0"),
        COMMIT,
    )
    assert remote.files[0].sha256 == sha256(content).hexdigest()
    assert remote.kind == "lora"
    assert hub.ranges == ["bytes=0-100000"]


def test_of_a_model_one_can_choose_among_its_files_of_weights(hub: LocalHub):
    assert [remote.name for remote in ModelHub().ask(REPO)] == ["style.safetensors"]


def test_pickles_are_not_fetched(hub: LocalHub):
    with pytest.raises(ValueError, match=r"old\.ckpt is a pickle"):
        ModelHub().ask(f"hf://{REPO}/old.ckpt")


def test_a_file_comes_whole_with_its_hash_known(hub: LocalHub, tmp_path: Path):
    to, told = tmp_path / "here" / "style.safetensors", list[tuple[int, int]]()
    assert fetch(style(), to, told) == to
    assert to.read_bytes() == hub.files["loras/style.safetensors"]
    assert told[-1] == (to.stat().st_size, to.stat().st_size)
    assert {token for _, token in hub.asked} == {None}
    update(to.parent / "library", [str(to.parent)], STOCK, lambda done, whole: None)
    library = Library(to.parent / "library")
    found = library.by_hash(sha256(to.read_bytes()).hexdigest())
    assert found is not None
    assert found.path == str(to)
    library.close()


def test_what_breaks_off_goes_on_where_it_was_and_is_not_offered_meanwhile(
    hub: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    monkeypatch.setattr(hub_module, "CHUNK", 10_000)
    remote, to = style(), tmp_path / "here" / "style.safetensors"
    hub.cut = [30_000, *[0] * 6]
    with pytest.raises(ValueError, match="could not be asked for"):
        fetch(remote, to)
    assert visible(to.parent) == []
    assert unfinished(str(to)) == 30_000
    assert update(tmp_path / "library", [str(to.parent)], STOCK, lambda done, whole: None).entries == 0
    hub.ranges.clear()
    fetch(remote, to)
    assert set(hub.ranges) == {"bytes=30000-"}
    assert to.read_bytes() == hub.files["loras/style.safetensors"]
    assert unfinished(str(to)) == 0


@pytest.mark.parametrize("change", [b"", b"more", b"\0" * 200_000])
def test_a_hub_that_lies_about_the_length_is_found_out(hub: LocalHub, tmp_path: Path, change: bytes):
    remote, to = style(), tmp_path / "here" / "style.safetensors"
    content = hub.files["loras/style.safetensors"]
    hub.instead["loras/style.safetensors"] = content + change if change else content[:-8]
    with pytest.raises(ValueError, match=r"style\.safetensors|asked for"):
        fetch(remote, to)
    assert visible(to.parent) == []


def test_a_hub_that_sends_another_content_is_found_out_and_nothing_is_kept(hub: LocalHub, tmp_path: Path):
    remote, to = style(), tmp_path / "here" / "style.safetensors"
    hub.instead["loras/style.safetensors"] = hub.files["loras/style.safetensors"][:-1] + b"\1"
    with pytest.raises(ValueError, match=r"is not what the hub has: its sha256 is .* Nothing of it was kept"):
        fetch(remote, to)
    assert [*to.parent.iterdir()] == []
    assert unfinished(str(to)) == 0


def test_what_was_begun_of_another_content_is_not_gone_on_with(
    hub: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    monkeypatch.setattr(hub_module, "CHUNK", 10_000)
    to = tmp_path / "here" / "style.safetensors"
    hub.cut = [30_000, *[0] * 6]
    with pytest.raises(ValueError, match="asked for"):
        fetch(style(), to)
    hub.cut.clear()
    content = hub.files["loras/style.safetensors"][:-1] + b"\1"
    hub.files = {"loras/style.safetensors": content}
    newer = style()
    assert (unfinished(str(to)), unfinished(str(to), newer)) == (30_000, 0)
    fetch(newer, to)
    assert to.read_bytes() == content


def test_what_was_begun_can_be_thrown_away(hub: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    to = tmp_path / "here" / "style.safetensors"
    remote = style()
    hub.cut = [10, *[0] * 6]
    with pytest.raises(ValueError, match="asked for"):
        fetch(remote, to)
    discard(str(to))
    assert unfinished(str(to)) == 0


def test_a_file_that_is_there_is_never_written_over(hub: LocalHub, tmp_path: Path):
    to = tmp_path / "style.safetensors"
    to.write_bytes(b"mine")
    with pytest.raises(ValueError, match="is there already"):
        fetch(style(), to)
    assert to.read_bytes() == b"mine"


def test_a_folder_that_is_one_thing_comes_whole_or_not_at_all(hub: LocalHub, tmp_path: Path):
    hub.files = {
        "model_index.json": b"{}",
        "unet/config.json": b'{"a": 1}',
        "unet/model.safetensors": hub.files["loras/style.safetensors"],
        "unet/model.fp16.safetensors": b"",
        "unet/model.bin": b"\x80",
        "README.md": b"words",
    }
    whole, *_ = ModelHub().ask(REPO)
    assert (whole.kind, whole.name, whole.is_folder) == ("checkpoint", "model", True)
    hub.instead = {"unet/config.json": b'{"a": 2}'}
    with pytest.raises(ValueError, match=r"unet/config\.json is not what the hub has"):
        fetch(whole, tmp_path / "model")
    assert not (tmp_path / "model").exists()
    hub.instead = {}
    made = fetch(whole, tmp_path / "model")
    files = sorted(path.relative_to(made).as_posix() for path in made.glob("**/*.*"))
    assert files == ["model_index.json", "unet/config.json", "unet/model.safetensors"]


def test_names_that_lead_elsewhere_are_refused(hub: LocalHub, tmp_path: Path):
    remote = style()
    for name in ("../../evil.safetensors", "/evil", "a/../../b", "c:evil"):
        file = remote.files[0]
        bad = replace(remote, files=(replace(file, name=name), file), is_folder=True)
        with pytest.raises(ValueError, match="cannot be a file here"):
            fetch(bad, tmp_path / "folder")


def test_it_goes_into_the_folder_for_its_kind(hub: LocalHub, tmp_path: Path):
    remote = style()
    (tmp_path / "b" / "Lora").mkdir(parents=True)
    roots = [str(tmp_path / "a"), str(tmp_path / "b")]
    assert place_for(remote, STOCK, roots) == str(tmp_path / "b" / "Lora" / "style.safetensors")
    assert place_for(remote, STOCK, roots[:1]) == str(tmp_path / "a" / "loras" / "style.safetensors")
    assert place_for(remote, STOCK, []) == ""


def test_what_is_for_those_who_agree_says_how_to(hub: LocalHub, tmp_path: Path):
    hub.gated = True
    remote = style()
    assert remote.gated
    with pytest.raises(ValueError, match=r"to those who agree to its terms.*hf auth login"):
        fetch(remote, tmp_path / "style.safetensors")


def test_a_model_that_is_not_there_is_said(hub: LocalHub):
    with pytest.raises(ValueError, match="there is no model people/nothing on the hub"):
        ModelHub().ask("people/nothing")


@pytest.mark.parametrize("how", ["DENOODLE_OFFLINE", "HF_HUB_OFFLINE", "settings"])
def test_nothing_is_asked_while_the_network_is_switched_off(
    hub: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
):
    remote = style()
    hub.asked.clear()
    if how == "settings":
        program.allow_network(False)
    else:
        monkeypatch.setenv(how, "1")
    for act in (lambda: ModelHub().ask(REPO), lambda: fetch(remote, tmp_path / "style.safetensors")):
        with pytest.raises(ValueError, match="nothing is fetched over the network"):
            act()
    assert hub.asked == []
    program.allow_network(True)


@pytest.mark.slow
def test_a_download_that_is_stopped_goes_on_where_it_was(
    hub: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HF_ENDPOINT", constants.ENDPOINT)
    content = zeros(tmp_path / "large.safetensors", {"weight": (3_000_000,)}).read_bytes()
    hub.files = {"large.safetensors": content}
    (remote,) = ModelHub().ask(f"hf://{REPO}/large.safetensors")
    hub.slow = 0.05
    to = tmp_path / "here" / "large.safetensors"
    errand = Errand(download.fetch, Fetch(remote, str(to), str(tmp_path / "library")).text())
    while unfinished(str(to)) < 3 << 20:
        time.sleep(0.02)
        assert not [event for event in errand.news() if not isinstance(event, Went)]
    errand.stop()
    time.sleep(0.5)
    errand.close()
    begun = unfinished(str(to))
    assert 0 < begun < len(content)
    assert visible(to.parent) == []
    hub.slow = 0.0
    hub.ranges.clear()
    fetch(remote, to)
    assert hub.ranges == [f"bytes={begun}-"]
    assert to.read_bytes() == content


def test_a_download_is_an_errand_with_progress(hub: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_ENDPOINT", constants.ENDPOINT)
    to = tmp_path / "here" / "style.safetensors"
    errand = Errand(download.fetch, Fetch(style(), str(to), str(tmp_path / "library")).text())
    heard: list[Went | Done | Refused] = []
    end = time.monotonic() + 60
    while not errand.over and time.monotonic() < end:
        heard += errand.news()
        time.sleep(0.02)
    errand.close()
    assert heard[-1] == Done(str(to))
    assert any(isinstance(event, Went) for event in heard)
    assert visible(to.parent) == ["style.safetensors"]
