"""How long a prompt is said to be is how it is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from nodes.backend import checkpoints, counting, families, pool
from nodes.backend.counting import measure
from nodes.backend.prompt import chunks
from nodes.types import Network, TextEncoder, Weights

STARTER = Path(__file__).parents[2] / "models" / "starter"
LONG = ", ".join(f"a red fox number {number}" for number in range(30))


@pytest.fixture(scope="module")
def reader():
    return checkpoints.checkpoint(str(STARTER)).text_encoder


@pytest.mark.parametrize("text", ["", "a red fox", "(a red:1.3) fox BREAK in [the] snow", LONG])
def test_a_prompt_in_chunks_has_as_many_tokens_as_are_read(reader, text: str):
    said = measure({"text_encoder": reader, "other": 3}, text)
    words = pool.reader(reader.encoders[0], ()).tokenizer
    found = chunks(text, words, words.model_max_length)
    tokens = sum(chunk.ids.index(words.eos_token_id, 1) - 1 for chunk in found)
    room = words.model_max_length - 2
    assert said == f"{tokens:,} of {len(found) * room:,}" + (f", {len(found)} chunks" if len(found) > 1 else "")


def test_without_a_reader_it_is_about_as_clip_counts():
    assert measure({}, "a red fox") == "about 3"


def test_what_cannot_be_read_has_no_length(reader):
    assert measure({"text_encoder": reader}, "(a fox:1000)") == ""


class Words:
    """A letter is a token."""

    def encode(self, text: str, add_special_tokens: bool):
        return type("Encoded", (), {"ids": list(text)})


def test_what_is_read_at_once_is_counted_to_its_limit(monkeypatch):
    """A place of T5's is that of its end; what is put around a prompt takes places too."""
    monkeypatch.setattr(counting, "_words", lambda network: Words())
    for family, role, read in (
        ("flux", "text_encoder_2", "a b"),
        ("sd3", "text_encoder_3", "a b"),
        ("zimage", "text_encoder", "(a b:1.2)"),
    ):
        room = families.of(family).reads_at_once(frozenset({role}))
        network = Network(family, role, Weights("none", ""))
        most = room.most - len(room.chat.replace("{}", ""))
        assert measure({"text_encoder": TextEncoder(family, (network,))}, "(a b:1.2)") == f"{len(read)} of {most}"
    assert families.of("flux").reads_at_once(frozenset()).most == 511
    assert families.of("sd3").reads_at_once(frozenset({"text_encoder"})) is None
