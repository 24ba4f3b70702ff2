"""How long a prompt is for whoever reads it, in tokens: told while it is typed, so nothing is loaded but words.

For the engine's process: tokenizers take a second to import and some tens of megabytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from nodegraph.text import whole
from nodes.backend import embeddings, families, loading, parts
from nodes.backend.prompt import BREAK, NOTHING_TAUGHT, Taught, chunks, parse
from nodes.backend.tokenizer_kinds import KINDS
from nodes.types import Network, TextEncoder

SHIPPED = 49_408  # rows of the published CLIPs, whose words come with the program


def measure(taken: Mapping[str, Any], text: str) -> str:
    """ "42 of 75", or "102 of 150, 2 chunks", where a prompt is read in chunks; "50 of 511" where at once.

    taken: what the prompt's node takes, by input, as far as that is known: the reader among it decides. Without one it
    is "about 42", as CLIP counts. Empty where the prompt cannot be read: its problem says why.
    """
    reader = next((value for value in taken.values() if isinstance(value, TextEncoder)), None)
    try:
        return _counted(reader, text) if reader else f"about {_in_chunks(_shipped(), text, NOTHING_TAUGHT)[0]}"
    except (ValueError, OSError):
        return ""


def _counted(reader: TextEncoder, text: str) -> str:
    family = families.of(reader.family)
    by_role = {network.role: network for network in reader.encoders}
    room = family.reads_at_once(frozenset(by_role))
    if room is not None:
        role, most, chat = room
        words = _words(by_role[role])
        around = sum(_tokens(words, part) for part in chat.split("{}"))
        read = chat.format(whole(text)) if chat != "{}" else _unmarked(text)
        return f"{_tokens(words, read) - around:,} of {most - around:,}"
    network = next(iter(reader.encoders))
    spec = family.roles[network.role].tokenizer
    words = _words(network)
    if spec is None or spec.kind != "clip":
        return f"{_tokens(words, whole(text)):,}"
    count, number, chunk = _in_chunks(words, text, embeddings.taught(reader, network))
    return f"{count:,} of {number * chunk:,}" + (f", {number:,} chunks" if number > 1 else "")


def _unmarked(text: str) -> str:
    """As it is read at once: without marks of weight; what starts a chunk elsewhere parts words."""
    return "".join(" " if piece.text == BREAK else whole(piece.text) for piece in parse(text))


def _tokens(words: Any, text: str) -> int:
    return len(words.encode(text, add_special_tokens=False).ids)


def _in_chunks(words: Any, text: str, taught: Taught) -> tuple[int, int, int]:
    """How many tokens, in how many chunks, and the most of a chunk."""
    context = words.model_max_length
    found = chunks(text, words, context, taught)
    return sum(chunk.ids.index(words.eos_token_id, 1) - 1 for chunk in found), len(found), context - 2


@lru_cache(maxsize=4)
def _words(network: Network) -> Any:
    return loading.tokenizer(network, parts.num_tokens(parts.settings(network)))


@lru_cache(maxsize=1)
def _shipped() -> Any:
    kind = KINDS["clip"]
    return kind.build(kind.find(None), SHIPPED, None)
