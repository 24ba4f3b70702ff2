"""A tokenizer's files are checked here and never opened by a library; good ones give the library's own numbers."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from transformers import CLIPTokenizer

from nodegraph import program
from nodes.backend import loading, tokenizer_kinds, vocabulary
from nodes.backend.strict_json import MAX_QUOTED
from nodes.types import Network, Weights
from tests import tiny_models
from tests.examples import examples

SIZE = len(tiny_models.CLIP_VOCABULARY)
PROMPTS = [
    "a photo of a cat",
    "a cat, wow!! <|endoftext|> it's  2 cats",
    "Ünïcödé ☃ 東京 <|STARTOFTEXT|>",
    "zqxj" * 30,
    "",
]


def ids(tokenizer: CLIPTokenizer) -> list[list[int]]:
    return [tokenizer(prompt).input_ids for prompt in PROMPTS]


def ours(folder: Path, size: int) -> CLIPTokenizer:
    """The tokenizer in a folder that has no other part."""
    place = folder.parent / "checkpoint"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(folder, place / "tokenizer")
    return loading.tokenizer(encoder_in(place), size)


def encoder_in(place: Path) -> Network:
    return Network("sd1", "text_encoder", Weights(str(place), ""))


SHIPPED = [tokenizer_kinds.CONFIGS / "clip", program.FOLDER / "models" / "starter" / "tokenizer"]


@pytest.mark.parametrize("folder", SHIPPED, ids=["sd1", "starter"])
def test_shipped_tokenizers_number_words_as_the_library_does(folder: Path):
    theirs = CLIPTokenizer.from_pretrained(str(folder), local_files_only=True)
    place = folder.parent if folder.parent.name == "starter" else Path("x")
    found = loading.tokenizer(encoder_in(place), len(theirs))
    assert ids(found) == ids(theirs)
    assert (found.pad_token_id, found.model_max_length) == (theirs.pad_token_id, theirs.model_max_length)


@pytest.mark.parametrize("pad", [tiny_models.EOS, "!"])
@pytest.mark.parametrize("saved_again", [False, True])
def test_both_layouts_number_words_as_the_library_does(tmp_path: Path, pad: str, saved_again: bool):
    folder = tiny_models.write_clip_tokenizer(tmp_path / "tokenizer", pad)
    if saved_again:  # as one tokenizer.json
        tokenizer = CLIPTokenizer.from_pretrained(str(folder), local_files_only=True)
        shutil.rmtree(folder)
        tokenizer.save_pretrained(str(folder))
        assert not (folder / "vocab.json").exists()
    theirs = CLIPTokenizer.from_pretrained(str(folder), local_files_only=True)
    found = ours(folder, SIZE)
    assert ids(found) == ids(theirs)
    assert found.pad_token_id == theirs.pad_token_id


def test_words_that_were_taught_later_are_known(tmp_path: Path):
    folder = tiny_models.write_clip_tokenizer(tmp_path / "tokenizer")
    (folder / "added_tokens.json").write_text(json.dumps({"<my-cat>": SIZE}))
    theirs = CLIPTokenizer.from_pretrained(str(folder), local_files_only=True)
    found = ours(folder, SIZE + 1)
    assert found("a <my-cat> photo").input_ids == theirs("a <my-cat> photo").input_ids
    assert SIZE in found("a <my-cat> photo").input_ids


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tiny_models.write_clip_tokenizer(tmp_path / "tokenizer")


def refusal(folder: Path, size: int = SIZE) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        ours(folder, size)
    message = str(caught.value)
    assert str(folder.parent) in message
    assert "\n" not in message
    assert len(message) < 3 * MAX_QUOTED + 2 * len(str(folder))
    return message


VOCAB = tiny_models.CLIP_VOCABULARY
TABLES: dict[str, tuple[Any, str]] = {
    "a list": ([], "holds no JSON object"),
    "empty": ({}, "has no table of tokens"),
    "text as number": (VOCAB | {"a": "0"}, "the number of 'a' is '0'"),
    "truth as number": (VOCAB | {"a": True}, "the number of 'a' is True"),
    "fraction": (VOCAB | {"a": 64.0}, "the number of 'a' is 64.0"),
    "negative": (VOCAB | {"a": -1}, "'a' has number -1; its tokens must have 0 to 738, each once"),
    "beyond the rest": (VOCAB | {"a": 10**9}, "'a' has number 1000000000"),
    "two tokens of one number": (VOCAB | {"a": 0}, "'a' has number 0"),
    "a gap": ({token: 2 * number for token, number in VOCAB.items()}, "each once"),
    "a long token": (VOCAB | {"a" * 5000: 1}, "and a token have 1 to 200 characters"),
    "an empty token": (VOCAB | {"": 1}, "and a token have 1 to 200 characters"),
    "half a character": (VOCAB | {"\ud83d": SIZE}, "the token '\\ud83d' holds half a character"),
    "fewer": ({token: number for token, number in VOCAB.items() if number < SIZE - 2}, "which is none of its tokens"),
    "more": (VOCAB | {"zzzz": SIZE}, f"has {SIZE + 1} words, its text encoder {SIZE}"),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_that_is_none_is_one_sentence(folder: Path, name: str):
    table, message = TABLES[name]
    (folder / "vocab.json").write_text(json.dumps(table))
    assert message in refusal(folder)


MERGES = {
    "one token": (b"#version: 0.2\nab\n", "['ab'] is not two tokens"),
    "three tokens": (b"a b c\n", "['a', 'b', 'c'] is not two tokens"),
    "unknown tokens": (b"zzz yyy\n", "'zzz' is no token"),
    "unknown result": (b"z q\n", "merges 'z' and 'q', but 'zq' is no token"),
    "no text": (b"\xff\xfe", "byte 0 is no UTF-8"),
    "a long line": (b"a" * 100_000, "is not two tokens"),
}


@pytest.mark.parametrize("name", MERGES)
def test_merges_that_are_none_are_one_sentence(folder: Path, name: str):
    text, message = MERGES[name]
    (folder / "merges.txt").write_bytes(text)
    assert message in refusal(folder)


def test_merges_of_any_size_are_bounded(folder: Path):
    with (folder / "merges.txt").open("wb") as file:
        file.truncate(vocabulary.MAX_BYTES + 1)
    assert "is larger than 16,000,000 bytes" in refusal(folder)


CONFIGS: dict[str, tuple[Any, str]] = {
    "no length": ({"model_max_length": -1}, "model_max_length is -1"),
    "length as text": ({"model_max_length": "77"}, "model_max_length is '77'"),
    "unknown end": ({"eos_token": "<end>"}, "the eos_token of the tokenizer in"),
    "end as number": ({"eos_token": 7}, "the eos_token of the tokenizer in"),
    "end as list": ({"eos_token": ["a"]}, "the eos_token of the tokenizer in"),
    "added as list": ({"added_tokens_decoder": []}, "its added tokens must be an object"),
    "added without text": ({"added_tokens_decoder": {"1": {}}}, "the added token 1 has no content"),
    "added as text": ({"added_tokens_decoder": {"1": "a"}}, "the added token 1 has no content"),
    "added with no number": ({"added_tokens_decoder": {"x": {"content": "a"}}}, "has the number 'x'"),
    "added far off": ({"added_tokens_decoder": {"99999": {"content": "new"}}}, "'new' has number 99999"),
    "a flag that is none": ({"added_tokens_decoder": {"1": {"content": "a", "lstrip": 3}}}, "lstrip is 3"),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_wrong_setting_is_one_sentence(folder: Path, name: str):
    change, message = CONFIGS[name]
    (folder / "special_tokens_map.json").unlink()
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert message in refusal(folder)


def test_what_names_code_or_places_is_not_handed_on(folder: Path):
    change = {"auto_map": {"AutoTokenizer": ["evil.py", None]}, "tokenizer_class": "Evil", "vocab_file": "/etc/passwd"}
    change |= {"tokenizer_file": "/etc/passwd", "chat_template": "{{ 1 }}", "processor_class": "Evil"}
    (folder / "tokenizer_config.json").write_text(json.dumps(change))
    assert ids(ours(folder, SIZE)) == ids(tiny_models.clip_tokenizer())


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = ["vocab", "merges", "type", "model", "added_tokens", "id", "content", "eos_token", "model_max_length"]
NAMES += ["added_tokens_decoder", "lstrip", "0", "1"]


@examples(100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_its_files_say_a_tokenizer_is_made_or_refused_in_a_sentence(tmp_path: Path, data: st.DataObject):
    folder = tmp_path / "tokenizer"
    shutil.rmtree(folder, ignore_errors=True)
    tiny_models.write_clip_tokenizer(folder)
    name = data.draw(st.sampled_from([*vocabulary.FILES]))
    if name == "merges.txt":
        (folder / name).write_text(data.draw(st.text(max_size=200)), "utf-8", "replace")
    else:
        start = {
            "tokenizer.json": {"model": {"type": "BPE", "vocab": VOCAB, "merges": []}, "added_tokens": []},
            "vocab.json": VOCAB,
        }.get(name, {})
        change = data.draw(st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=3), JUNK, max_size=3))
        inside = data.draw(st.booleans()) and "model" in start
        spoiled = start | {"model": start["model"] | change} if inside else start | change
        (folder / name).write_text(json.dumps(spoiled), "utf-8")
    problem = ""
    try:
        ours(folder, SIZE)
    except ValueError as error:
        problem = str(error)
    assert not problem or str(folder.parent) in problem
    assert "\n" not in problem
