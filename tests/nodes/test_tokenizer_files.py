"""T5's tokenizer is found where it may be, kept once it was chosen, and downloaded only when that is asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx2
import huggingface_hub
import pytest
from huggingface_hub import constants, errors

from nodegraph.failure import Missing
from nodes.backend import tokenizer_files, unigram
from tests.nodes import t5_files
from tests.nodes.t5_files import write_json, write_spiece

PIECES = t5_files.many_pieces(120)
SIZE = len(PIECES)


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DENOODLE_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def place(folder: Path, word: str = "▁first") -> Path:
    return write_json(folder, [*PIECES, (word, -1.0)])


def words(found: Path) -> str:
    """The last word, which tells tokenizers apart."""
    return unigram.read(found, SIZE + 1).pieces[-1][0]


def test_without_any_it_is_said_what_to_choose(tmp_path: Path):
    for beside in (None, tmp_path):
        with pytest.raises(ValueError, match=r"T5's tokenizer is missing, .*choose a tokenizer.json of T5") as caught:
            tokenizer_files.find(None, beside)
        assert "\n" not in str(caught.value)


def test_planning_is_told_how_to_get_one_and_where_it_would_be(tmp_path: Path, data: Path):
    with pytest.raises(Missing) as caught:
        tokenizer_files.find(None, tmp_path)
    assert (caught.value.remedy, caught.value.places) == (
        "t5_tokenizer",
        (str(tmp_path), str(data / "tokenizers" / "t5")),
    )


def test_a_choice_counts_before_the_folder_and_the_folder_before_what_is_remembered(tmp_path: Path):
    chosen, beside = place(tmp_path / "a", "▁chosen"), place(tmp_path / "b", "▁beside")
    tokenizer_files.remember(place(tmp_path / "c", "▁remembered"), SIZE + 1)
    assert words(tokenizer_files.find(chosen, beside)) == "▁chosen"
    assert words(tokenizer_files.find(chosen / "tokenizer.json", beside)) == "▁chosen"
    assert words(tokenizer_files.find(None, beside)) == "▁beside"
    assert words(tokenizer_files.find(None, tmp_path)) == "▁remembered"
    assert words(tokenizer_files.find(None, None)) == "▁remembered"


def test_a_choice_that_is_none_is_refused_whatever_else_there_is(tmp_path: Path):
    tokenizer_files.remember(place(tmp_path / "a"), SIZE + 1)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"there is no T5 tokenizer in .*empty; choose"):
        tokenizer_files.find(tmp_path / "empty", place(tmp_path / "b"))


def test_what_is_remembered_outlasts_the_file_it_came_from(tmp_path: Path, data: Path):
    folder = place(tmp_path / "a")
    (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 99}))
    before = unigram.read(folder, SIZE + 1)
    kept = tokenizer_files.remember(folder, SIZE + 1)
    for path in folder.iterdir():
        path.unlink()
    assert kept.is_relative_to(data)
    assert unigram.read(kept, SIZE + 1) == before
    assert before.context == 99


def test_a_later_choice_takes_the_place_of_an_earlier_one(tmp_path: Path):
    folder = place(tmp_path / "a", "▁first")
    (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 99}))
    tokenizer_files.remember(folder, SIZE + 1)
    write_spiece(tmp_path / "b" / "any.model", [*PIECES[:-100], ("▁second", -1.0)])
    kept = tokenizer_files.remember(tmp_path / "b" / "any.model", SIZE + 1)
    assert [path.name for path in kept.iterdir()] == ["spiece.model"]
    assert unigram.read(kept, SIZE + 1).context == 512
    tokenizer_files.remember(place(tmp_path / "c", "▁third"), SIZE + 1)
    assert words(tokenizer_files.find(None, None)) == "▁third"


def test_what_does_not_fit_is_not_remembered(tmp_path: Path, data: Path):
    tokenizer_files.remember(place(tmp_path / "a", "▁first"), SIZE + 1)
    with pytest.raises(ValueError, match=f"has {SIZE + 1} words, its text encoder 5"):
        tokenizer_files.remember(place(tmp_path / "b", "▁second"), 5)
    assert words(tokenizer_files.find(None, None)) == "▁first"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[str, Path], str]], list[Any]]:
    """Puts a function in the place of the hub's download; gives the calls that it got."""

    def put(answer: Callable[[str, Path], str]) -> list[Any]:
        asked: list[Any] = []

        def download(repository: str, name: str, *, local_dir: Path, token: bool, **_: Any) -> str:
            asked.append((repository, name, token, constants.HF_HUB_OFFLINE))
            return answer(name, local_dir)

        monkeypatch.delenv("HF_HUB_OFFLINE")
        monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
        return asked

    return put


def missing(name: str) -> errors.RemoteEntryNotFoundError:
    request = httpx2.Request("HEAD", f"https://hub.invalid/{name}")
    return errors.RemoteEntryNotFoundError(
        f"404: {name}\n\nEntry Not Found", response=httpx2.Response(404, request=request)
    )


def only_spiece(name: str, folder: Path) -> str:
    if name != "spiece.model":
        raise missing(name)
    return str(write_spiece(folder / name, [*PIECES[:-100], ("▁downloaded", -1.0)]))


def test_a_download_is_online_for_itself_alone_and_is_remembered(hub: Any):
    asked = hub(only_spiece)
    assert constants.HF_HUB_OFFLINE
    kept = tokenizer_files.download(SIZE + 1)
    assert constants.HF_HUB_OFFLINE
    assert asked == [
        ("google/t5-v1_1-xxl", "tokenizer.json", False, False),
        ("google/t5-v1_1-xxl", "spiece.model", False, False),
    ]
    assert unigram.read(kept, SIZE + 1).pieces[-101][0] == "▁downloaded"
    assert tokenizer_files.find(None, None) == kept


def test_nothing_is_downloaded_that_was_not_asked_for(hub: Any):
    asked = hub(only_spiece)
    with pytest.raises(ValueError, match="or have it downloaded"):
        tokenizer_files.find(None, None)
    assert asked == []


def no_network() -> Exception:
    """As the hub's library raises it, with what happened behind it."""
    error = errors.LocalEntryNotFoundError("An error happened while trying to locate the file on the Hub")
    error.__cause__ = httpx2.ConnectError("[Errno -2] Name unknown")
    return error


FAILURES: dict[str, tuple[Exception, str]] = {
    "no network": (no_network(), "([Errno -2] Name unknown)"),
    "not even asked": (errors.LocalEntryNotFoundError("cannot find the\n file"), "(cannot find the file)"),
    "offline": (errors.OfflineModeIsEnabled("offline mode"), "(offline mode)"),
    "no connection": (httpx2.ConnectError("[Errno -2] Name unknown"), "([Errno -2] Name unknown)"),
    "a slow hub": (httpx2.ReadTimeout("timed out"), "(timed out)"),
    "a full disk": (OSError(28, "No space left on device"), "(No space left on device)"),
    "storage": (errors.XetDownloadError("xet"), "(xet)"),
    "no such thing there": (missing("x"), "on the model hub has neither tokenizer.json nor spiece.model"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_download_that_fails_is_one_sentence_and_leaves_the_hub_offline(hub: Any, name: str, data: Path):
    error, message = FAILURES[name]

    def fail(_name: str, _folder: Path) -> str:
        raise error

    hub(fail)
    with pytest.raises(ValueError, match=r"google/t5-v1_1-xxl.*; choose a tokenizer.json of T5") as caught:
        tokenizer_files.download(SIZE + 1)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert constants.HF_HUB_OFFLINE
    assert not list(data.rglob("*"))


def test_a_download_of_something_else_is_refused_and_not_remembered(hub: Any, data: Path):
    hub(lambda name, folder: str(write_json(folder, PIECES[:9]) / name))
    with pytest.raises(ValueError, match="has 9 words, its text encoder 32,128"):
        tokenizer_files.download(32_128)
    assert not list(data.rglob("*"))


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A hub on this machine that has a spiece.model alone; the requests it gets."""
    content = write_spiece(tmp_path / "there" / "spiece.model", PIECES[:-100]).read_bytes()
    asked: list[str] = []

    class Hub(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(b"")

        def do_GET(self) -> None:
            self._answer(content)

        def _answer(self, body: bytes) -> None:
            asked.append(f"{self.command} {self.path} {self.headers.get('authorization')}")
            there = self.path.endswith("/spiece.model")
            self.send_response(200 if there else 404)
            self.send_header("X-Repo-Commit", "0" * 40)
            if there:
                self.send_header("ETag", '"1"')
            else:
                self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", str(len(content) if there else 0))
            self.end_headers()
            self.wfile.write(body if there else b"")

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    hub = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    address = f"http://127.0.0.1:{hub.server_port}"
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}")
    yield asked
    hub.shutdown()
    thread.join()
    hub.server_close()


def test_the_hub_library_itself_downloads_what_is_there_without_saying_who_asks(server: list[str]):
    told: list[tuple[int, int]] = []
    kept = tokenizer_files.download(SIZE, lambda there, whole: told.append((there, whole)))
    assert unigram.read(kept, SIZE).num_words == SIZE
    size = (kept / "spiece.model").stat().st_size
    assert (told[0], told[-1]) == ((0, size), (size, size))
    assert [path.name for path in kept.iterdir()] == ["spiece.model"]
    assert server
    assert all(line.endswith(" None") for line in server)
