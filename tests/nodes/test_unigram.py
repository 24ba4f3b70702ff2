"""T5's tokenizer is read as data and never opened by a library; good files give the library's own numbers."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, normalizers
from transformers import T5TokenizerFast

from nodes.backend import charsmap, spiece, t5_prompt, unigram
from nodes.backend.strict_json import MAX_QUOTED
from tests import tiny_models
from tests.examples import examples
from tests.nodes import t5_files
from tests.nodes.t5_files import EXTRA, as_json, field, write_json, write_spiece

TINY: list[Any] = [[piece, score] for piece, score in t5_files.many_pieces(120)[:-100]]
SIZE = len(TINY)
FLAGS = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}


def tiny(folder: Path) -> Path:
    tiny_models.t5_tokenizer().save_pretrained(str(folder))
    return folder


def generated(folder: Path) -> Path:
    pieces = t5_files.many_pieces()
    added = [{"id": number, "content": pieces[number][0]} | FLAGS for number in range(3)]
    return write_json(folder, pieces, t5_files.nfkc_table(), added_tokens=added)


def published(folder: Path) -> Path:
    """With settings as those of Flux: marks that take the spaces beside them, and two words taught later."""
    pieces = t5_files.many_pieces()
    flags = {piece: FLAGS | ({"lstrip": True, "rstrip": True} if "extra" in piece else {}) for piece, _ in pieces}
    number = {piece: number for number, (piece, _) in enumerate(pieces)}
    marks = [piece for piece in number if piece in unigram.ROLES or "extra" in piece]
    added = {str(number[piece]): flags[piece] | {"content": piece} for piece in marks}
    later = {"content": "my cat", "single_word": True, "normalized": True, "special": False}
    added |= {str(len(pieces)): FLAGS | later, str(len(pieces) + 1): FLAGS | {"content": "<new>", "special": False}}
    config = {"added_tokens_decoder": added, "extra_ids": 100, "model_max_length": 512, "legacy": True}
    write_json(folder, pieces, t5_files.nfkc_table())
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


FOLDERS: dict[str, Callable[[Path], Path]] = {"tiny": tiny, "generated": generated, "published": published}


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Tokenizer, T5TokenizerFast]]:
    """Ours and the library's, from one folder each."""
    found: dict[str, tuple[Tokenizer, T5TokenizerFast]] = {}
    for name, write in FOLDERS.items():
        folder = write(tmp_path_factory.mktemp("tokenizer") / name)
        theirs = T5TokenizerFast.from_pretrained(str(folder), local_files_only=True)
        words = unigram.read(folder, len(theirs))
        assert (words.num_words, words.context) == (len(theirs), min(theirs.model_max_length, 512))
        found[name] = (t5_prompt.tokenizer(words), theirs)
    return found


WORDS = ["a", "cat", "red", "balo", "dädu", "my cat", "my cats", "<extra_id_7>", "</s>", "<pad>", "<unk>", "<new>"]
WORDS += [
    "ﬁt",
    "①",
    "ﷺ",
    "e\u0301",
    "▁",
    "☃",
    "👩‍🚀",
    "<extra_id_100>",
    " ",
    "\t",
    "\n",
    "\u3000",
    "\u200b",
    "\x07",
    "\0",
]
TEXTS = st.lists(st.sampled_from(WORDS) | st.text(max_size=6), max_size=12)


@pytest.mark.parametrize("name", FOLDERS)
@examples(300, daily=30)
@given(parts=TEXTS, spaced=st.booleans())
def test_every_text_has_the_numbers_that_the_library_gives_it(
    tokenizers: Any, name: str, parts: list[str], spaced: bool
):
    ours, theirs = tokenizers[name]
    text = (" " if spaced else "").join(parts)
    assert [*ours.encode(text, add_special_tokens=False).ids, unigram.END] == theirs(text).input_ids


def test_the_library_and_the_program_use_the_table_of_replacements(tokenizers: Any):
    for name in ("generated", "published"):
        ours, theirs = tokenizers[name]
        assert ours.encode("ﬁ①").ids == ours.encode("fi1").ids
        assert theirs("ﬁ①").input_ids == theirs("fi1").input_ids


@pytest.mark.parametrize("extra_ids", [0, 100])
def test_both_formats_say_the_same(tmp_path: Path, extra_ids: int):
    pieces, table = t5_files.many_pieces(), t5_files.nfkc_table()
    pieces = [(piece, struct.unpack("<f", struct.pack("<f", score))[0]) for piece, score in pieces]  # as it keeps them
    kept = pieces[: len(pieces) - 100 + extra_ids]
    (tmp_path / "spiece").mkdir()
    (tmp_path / "spiece" / "tokenizer_config.json").write_text(json.dumps({"extra_ids": extra_ids}))
    write_spiece(tmp_path / "spiece" / "spiece.model", pieces[:-100], table)
    write_json(tmp_path / "json", kept, table)
    assert unigram.read(tmp_path / "spiece", len(kept)) == unigram.read(tmp_path / "json", len(kept))


def test_a_file_chosen_by_itself_is_read_without_its_neighbours(tmp_path: Path):
    folder = write_json(tmp_path, TINY)
    (folder / "tokenizer_config.json").write_text("damaged")
    assert unigram.read(folder / "tokenizer.json", SIZE).num_words == SIZE
    write_spiece(folder / "other.model", [(piece, score) for piece, score in TINY])
    assert unigram.read(folder / "other.model", SIZE + 100).pieces[SIZE:] == tuple(EXTRA)


def test_a_changed_file_is_read_again(tmp_path: Path):
    write_json(tmp_path, TINY)
    assert unigram.read(tmp_path, SIZE).num_words == SIZE
    write_json(tmp_path, [*TINY, ["▁another", -3.0]])
    assert unigram.read(tmp_path, SIZE + 1).num_words == SIZE + 1


@pytest.mark.parametrize(("spare", "fits"), [(-1, False), (0, True), (28, True), (256, True), (257, False)])
def test_words_and_rows_belong_together(tmp_path: Path, spare: int, fits: bool):
    write_json(tmp_path, TINY)
    if fits:
        assert unigram.read(tmp_path, SIZE + spare)
    else:
        assert f"has {SIZE} words, its text encoder {SIZE + spare}" in refusal(tmp_path, SIZE + spare)


def refusal(place: Path, size: int = SIZE) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        unigram.read(place, size)
    message = str(caught.value)
    assert str(place) in message
    assert "\n" not in message
    assert len(message) < 3 * MAX_QUOTED + 2 * len(str(place))
    return message


ENTRIES: dict[str, tuple[Any, str]] = {
    "none": ([], "begins with the words []; every T5 begins with ['<pad>', '</s>', '<unk>']"),
    "no unknown": ([*TINY[:2], *TINY[3:]], "every T5 begins with"),
    "a score as text": (
        [*TINY, ["x", "0"]],
        "a word is ['x', '0']; it must be a text of 1 to 200 characters and a num",
    ),
    "truth as score": ([*TINY, ["x", True]], "a word is ['x', True]"),
    "no score": ([*TINY, ["x"]], "a word is ['x']"),
    "a score too many": ([*TINY, ["x", 0, 0]], "a word is ['x', 0, 0]"),
    "a huge score": ([*TINY, ["x", -1e300]], "a word is ['x', -1e+300]"),
    "a number": ([*TINY, 5], "a word is 5"),
    "an object": ([*TINY, {"x": 1}], "a word is {'x': 1}"),
    "empty": ([*TINY, ["", 0]], "a word is ['', 0]"),
    "long": ([*TINY, ["x" * 5000, 0]], "a word is ['xxx"),
    "twice": ([*TINY, TINY[5]], f"twice, as number 5 and {SIZE}"),
    "half a character": ([*TINY, ["\ud83d", 0]], "the word '\\ud83d' holds half a character"),
    "many": ([["x", 0]] * 1001, "has more than 1,000 words"),
}


@pytest.mark.parametrize("name", ENTRIES)
def test_words_that_are_none_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str):
    monkeypatch.setattr(unigram, "MAX_PIECES", 1000)  # of 200,000
    entries, message = ENTRIES[name]
    assert message in refusal(write_json(tmp_path, entries))


TEXT = json.dumps(as_json(TINY))
LITERAL: dict[str, tuple[str, str]] = {
    "not a number": (TEXT.replace("-2.0", "NaN", 1), "NaN is no number"),
    "infinite": (TEXT.replace("-2.0", "-1e999", 1), "a number that is too large"),
    "deep": ('{"model":' + "[" * 100_000, "is nested too deeply"),
    "a million words": (
        '{"model": {"vocab": [' + '["x", 0],' * 10**6 + '["x", 0]]}}',
        "is larger than 8,000,000 bytes",
    ),
    "no object": ("[]", "holds no JSON object"),
    "half": (TEXT[: len(TEXT) // 2], "is not valid JSON"),
}


@pytest.mark.parametrize("name", LITERAL)
def test_text_that_is_no_tokenizer_is_one_sentence(tmp_path: Path, name: str):
    text, message = LITERAL[name]
    (tmp_path / "tokenizer.json").write_text(text)
    assert message in refusal(tmp_path)


def added(number: Any, **change: Any) -> dict[str, Any]:
    return {"added_tokens": [{"id": number, "content": "<new>"} | change]}


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "no model": ({"model": {"vocab": None}}, "has no Unigram model"),
    "CLIP's model": ({"model": {"type": "BPE", "vocab": {}}}, "has no Unigram model"),
    "another model": ({"model": {"type": "WordLevel"}}, "type is 'WordLevel'; it must be Unigram"),
    "another unknown": ({"model": {"unk_id": 5}}, "unk_id is 5; it must be 2"),
    "bytes": ({"model": {"byte_fallback": True}}, "byte_fallback is True; it must be false"),
    "added as text": ({"added_tokens": "x"}, "an added token is 'x', without an id"),
    "added without text": (added(SIZE, content=""), "has no content"),
    "added far off": (added(10**7), "'<new>' has number 10000000"),
    "added with a gap": (
        added(SIZE + 1),
        f"'<new>' has number {SIZE + 1}; tokens beyond its words must be new and count",
    ),
    "added negative": (added(-1), "has the number '-1'"),
    "added again": (added(SIZE, content=TINY[9][0]), f"has number {SIZE}; tokens beyond its words must be new"),
    "added in another's place": (added(9), "the added token '<new>' has the number of"),
    "a flag that is none": (added(SIZE, lstrip=3), "lstrip is 3"),
    "no base64": ({"normalizer": {"type": "Precompiled", "precompiled_charsmap": "é"}}, "it is no base64"),
    "an empty table": ({"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}}, "its trie has 0 bytes"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_field_that_cannot_be_meant_is_one_sentence(tmp_path: Path, name: str):
    change, message = CHANGES[name]
    assert message in refusal(write_json(tmp_path, TINY, **change))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_max_length": -1}, "model_max_length is -1"),
        ({"extra_ids": 10**9}, "extra_ids is 1000000000"),
        ({"added_tokens_decoder": []}, "its added tokens must be an object"),
        ({"added_tokens_decoder": {"5": {"content": "<new>"}}}, "has the number of"),
    ],
)
def test_a_wrong_setting_is_one_sentence(tmp_path: Path, config: dict[str, Any], message: str):
    write_json(tmp_path, TINY)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    assert message in refusal(tmp_path)


def test_a_folder_without_words_says_what_would_be_read(tmp_path: Path):
    assert "it has neither tokenizer.json nor spiece.model" in refusal(tmp_path)
    assert unigram.files(tmp_path) == ()


def test_what_names_code_or_places_is_not_handed_on(tmp_path: Path):
    steps: Any = {"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": "(a+)+$"}}]}
    write_json(tmp_path, TINY, pre_tokenizer=steps, normalizer={"type": "Replace", "pattern": {"Regex": "("}})
    config = {"auto_map": {"AutoTokenizer": ["evil.py", None]}, "tokenizer_class": "Evil", "vocab_file": "/etc/passwd"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    expected = unigram.read(write_json(tmp_path / "plain", TINY), SIZE)
    assert unigram.read(tmp_path, SIZE) == expected


MODEL = [(piece, score) for piece, score in TINY]
SPIECES: dict[str, tuple[bytes, str]] = {
    "text": (b"{" * 50, "is no spiece.model, or damaged"),
    "half": (field(1, b"x" * 100)[:50], "it is cut short"),
    "an endless number": (b"\xff" * 50, "it is cut short, or no protocol buffer, at byte 0"),
    "a piece that is a number": (b"\x08\x05", "a number stands where a text must be"),
    "a piece without text": (field(1, b"\x15" + bytes(4)), "a word is ('', 0.0)"),
    "a piece that is no UTF-8": (field(1, field(1, b"\xff")), "a piece has no text or no score"),
    "a score as text": (field(1, field(1, b"a") + field(2, b"a")), "a piece has no text or no score"),
    "a score that is none": (field(1, field(1, b"a") + b"\x15" + struct.pack("<f", math.nan)), "a word is ('a', nan)"),
    "a piece of bytes": (field(1, field(1, b"a") + b"\x18\x06"), "a piece is of kind 6"),
    "another model": (field(2, b"\x18\x02"), "its model is no Unigram"),
    "no pieces": (b"", "begins with the words []; every T5 begins with"),
    "many pieces": (field(1, field(1, b"a")) * 1001, "it has more than 1,000 pieces"),
    "large": (bytes(spiece.MAX_BYTES + 1), "is larger than 3,000,000 bytes"),
}


@pytest.mark.parametrize("name", SPIECES)
def test_a_spiece_model_that_is_none_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str):
    monkeypatch.setattr(unigram, "MAX_PIECES", 1000)  # of 200,000
    data, message = SPIECES[name]
    (tmp_path / "spiece.model").write_bytes(data)
    assert message in refusal(tmp_path)


TABLE = t5_files.nfkc_table()
TRIE = 4 + int.from_bytes(TABLE[:4], "little")
TABLES: dict[str, tuple[bytes, str]] = {
    "cut": (TABLE[: TRIE // 2], "its trie has"),
    "not in blocks": (struct.pack("<II", 4, 0), "its trie has 4 bytes"),
    "no UTF-8": (TABLE + b"\xff", "its replacements are no UTF-8"),
    "a long replacement": (TABLE + b"x" * 300, "a replacement has more than 200 bytes"),
    "large": (TABLE + bytes(charsmap.MAX_BYTES), "1,000,000 is the most"),
    "leads out": (TABLE[:4] + struct.pack("<I", 1 << 30) + TABLE[8:], "its trie leads out of it"),
    "a value far off": (TABLE.replace(struct.pack("<I", 1 << 31), struct.pack("<I", (1 << 32) - 1)), "leads out"),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_that_is_damaged_is_one_sentence(tmp_path: Path, name: str):
    table, message = TABLES[name]
    assert message in refusal(write_json(tmp_path, TINY, table))


@examples(100)
@given(
    changes=st.lists(st.tuples(st.integers(4, TRIE + 50), st.integers(0, 255)), min_size=1, max_size=50), text=st.text()
)
def test_no_table_that_is_accepted_ends_the_library(changes: list[tuple[int, int]], text: str):
    """Its walk looks at no limits: what leads out is a panic, which ends the engine."""
    spoiled = bytearray(TABLE)
    for place, byte in changes:
        spoiled[place % len(spoiled)] = byte
    try:
        charsmap.check(bytes(spoiled))
    except ValueError:
        return
    assert isinstance(normalizers.Precompiled(bytes(spoiled)).normalize_str(text + "ﬁ① e\u0301ａ\t"), str)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = [
    "vocab",
    "type",
    "model",
    "unk_id",
    "byte_fallback",
    "added_tokens",
    "normalizer",
    "normalizers",
    "id",
    "content",
]
NAMES += ["precompiled_charsmap", "model_max_length", "extra_ids", "added_tokens_decoder", "0", "1"]


@examples(150)
@given(data=st.data())
def test_whatever_its_files_say_a_tokenizer_is_made_or_refused_in_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
):
    folder = tmp_path_factory.mktemp("tokenizer")
    change = data.draw(st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=3), JUNK, max_size=3))
    match data.draw(st.sampled_from(["top", "model", "config", "spiece", "word"])):
        case "top":
            (folder / "tokenizer.json").write_text(json.dumps(as_json(TINY) | change), "utf-8")
        case "model":
            write_json(folder, TINY, model=change)
        case "word":
            write_json(folder, [*TINY, data.draw(JUNK)])
        case "config":
            write_json(folder, TINY)
            (folder / "tokenizer_config.json").write_text(json.dumps(change), "utf-8")
        case _:
            good = write_spiece(folder / "spiece.model", MODEL, TABLE[:5000]).read_bytes()
            place = data.draw(st.integers(0, len(good)))
            (folder / "spiece.model").write_bytes(good[:place] + data.draw(st.binary(max_size=9)) + good[place + 4 :])
    problem = ""
    try:
        t5_prompt.tokenizer(unigram.read(folder, SIZE))
    except ValueError as error:
        problem = str(error)
    assert not problem or str(folder) in problem
    assert "\n" not in problem
