"""Mistral's tokenizer cuts texts as the library does, from a tokenizer.json and out of a file of weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers.integrations.mistral.tokenizer import MistralConverter

from nodes.backend import mistral_prompt, mistral_words
from tests import tiny_modern, tiny_split

ROWS = 768
TEXTS = (
    "a photo of a red cat (with a hat), it's 2 cats",
    "",
    "Ünïcödé ☃ 東京, 3.14  and\n\n  two lines \n",
    "<s>[INST]masterpiece[/INST] <pad>[IMG]</s>[SYSTEM_PROMPT]",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_modern.write_mistral_processor(tmp_path_factory.mktemp("tokenizer"))


def in_weights(place: Path, data: Any, *, name: str = "tekken_model", dtype: torch.dtype = torch.uint8) -> Path:
    text = data if isinstance(data, bytes) else json.dumps(data).encode()
    save_file({name: torch.tensor(list(text)).to(dtype), "norm.weight": torch.ones(4)}, place)
    return place


def cut(place: Path) -> Tokenizer:
    return mistral_prompt.tokenizer(mistral_words.read(place, ROWS))


@pytest.mark.parametrize("text", TEXTS)
def test_texts_are_cut_as_the_library_cuts_them(text: str, folder: Path):
    theirs = Tokenizer.from_file(str(folder / "tokenizer.json"))
    assert cut(folder).encode(text, add_special_tokens=False).ids == theirs.encode(text, add_special_tokens=False).ids


@pytest.mark.parametrize("text", TEXTS)
def test_what_is_inside_weights_cuts_as_the_library_does_from_the_same_bytes(text: str, tmp_path: Path):
    data = tiny_split.tekken()
    # published ones have more words than are used, and special tokens without a name
    data["vocab"].append({"rank": len(data["vocab"]), "token_bytes": "////", "token_str": None})
    data["config"] |= {"default_num_special_tokens": 25, "default_vocab_size": data["config"]["default_vocab_size"] + 5}
    (tmp_path / "tekken.json").write_text(json.dumps(data))
    theirs = MistralConverter(str(tmp_path / "tekken.json")).converted()
    ours = cut(in_weights(tmp_path / "encoder.safetensors", data))
    assert ours.encode(text, add_special_tokens=False).ids == theirs.encode(text, add_special_tokens=False).ids
    assert ours.token_to_id("<SPECIAL_24>") == 24


def test_it_is_found_under_what_the_names_of_a_file_with_all_begin_with(tmp_path: Path):
    place = in_weights(tmp_path / "all.safetensors", tiny_split.tekken(), name="text_encoders.mistral.tekken_model")
    assert mistral_words.inside(place) == "text_encoders.mistral.tekken_model"
    assert mistral_words.read(place, ROWS).numbers["[INST]"] == 3


def test_it_must_not_have_more_words_than_its_text_encoder(folder: Path):
    count = len(tiny_modern.MISTRAL_IDS)
    assert len(mistral_words.read(folder, count).numbers) == count
    with pytest.raises(ValueError, match=rf"has {count} words, its text encoder {count - 1}"):
        mistral_words.read(folder, count - 1)


def test_where_there_is_none_it_is_said_what_to_choose(tmp_path: Path):
    with pytest.raises(ValueError, match=r"is missing, it is not in the file of weights: choose a file that"):
        mistral_words.find(None)
    with pytest.raises(ValueError, match=r"is missing, .* has no tokenizer\.json"):
        mistral_words.find(tmp_path)


Change = Callable[[dict[str, Any]], object]
CHANGES: dict[str, tuple[Change, str]] = {
    "no config": (lambda d: d.pop("config"), "its config is None; it must be an object"),
    "no pattern": (lambda d: d["config"].pop("pattern"), "has no words, or no pattern that texts are cut by"),
    "fewer words than specials": (lambda d: d["config"].update(default_vocab_size=20), "has no words"),
    "special without a name": (lambda d: d["special_tokens"][3].pop("token_str"), "a special token is {'rank': 3"),
    "special twice": (lambda d: d["special_tokens"].append(d["special_tokens"][0]), "a special token is {'rank': 0"),
    "special above": (lambda d: d["special_tokens"][0].update(rank=99), "each of the first 20 has one name"),
    "no list": (lambda d: d.update(vocab={}), "its vocab is {}; it must be a list"),
    "no entry": (lambda d: d.update(vocab=[1]), "its vocab is 1; it must be an object"),
    "no bytes": (lambda d: d["vocab"][7].update(token_bytes="?"), "token 7 is {'rank': 7"),
    "bytes twice": (lambda d: d["vocab"][7].update(token_bytes=d["vocab"][6]["token_bytes"]), "token 7 is"),
    "out of order": (lambda d: d["vocab"][7].update(rank=8), "it must have its rank and bytes of its own"),
}


@pytest.mark.parametrize(("change", "said"), CHANGES.values(), ids=CHANGES)
def test_damage_inside_weights_is_one_sentence(change: Change, said: str, tmp_path: Path):
    data = tiny_split.tekken()
    change(data)
    with pytest.raises(ValueError, match=r"encoder\.safetensors, tekken_model") as caught:
        mistral_words.read(in_weights(tmp_path / "encoder.safetensors", data), ROWS)
    assert said in str(caught.value)


def test_bytes_that_are_no_text_are_one_sentence(tmp_path: Path):
    with pytest.raises(ValueError, match=r"tekken_model is not valid JSON"):
        mistral_words.read(in_weights(tmp_path / "a.safetensors", b"{"), ROWS)
    with pytest.raises(ValueError, match=r"tekken_model is no text of at most 40,000,000 bytes"):
        mistral_words.read(in_weights(tmp_path / "b.safetensors", b"{}", dtype=torch.float32), ROWS)


BYTES = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}
SPLIT = {"type": "Split", "pattern": {"Regex": "."}, "behavior": "Isolated", "invert": False}
JSON_CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "other normalizer": ({"normalizer": {"type": "NFKC"}}, "its normalizer is {'type': 'NFKC'}; it must be NFC"),
    "no cutting": ({"pre_tokenizer": BYTES}, "its pre_tokenizer is"),
    "other cutting": (
        {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{**SPLIT, "behavior": "Removed"}, BYTES]}},
        "it must cut by a pattern and take bytes as they are",
    ),
    "space before": (
        {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [SPLIT, {**BYTES, "add_prefix_space": True}]}},
        "its pre_tokenizer is",
    ),
    "words by itself": ({"model": {"type": "WordLevel"}}, "has no BPE model"),
}


@pytest.mark.parametrize(("change", "said"), JSON_CHANGES.values(), ids=JSON_CHANGES)
def test_a_tokenizer_json_that_means_something_else_is_one_sentence(
    change: dict[str, Any], said: str, folder: Path, tmp_path: Path
):
    data = json.loads((folder / "tokenizer.json").read_text("utf-8")) | change
    (tmp_path / "tokenizer.json").write_text(json.dumps(data))
    with pytest.raises(ValueError, match=r"tokenizer\.json") as caught:
        mistral_words.read(tmp_path, ROWS)
    assert said in str(caught.value)


def test_a_changed_file_is_read_again(folder: Path, tmp_path: Path):
    path = tmp_path / "tokenizer.json"
    path.write_text((folder / "tokenizer.json").read_text("utf-8"))
    assert mistral_words.read(tmp_path, ROWS).composed
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {"normalizer": None}))
    assert not mistral_words.read(tmp_path, ROWS).composed
