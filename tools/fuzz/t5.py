"""T5's tokenizer as a way in."""

import json
from pathlib import Path

from tests.nodes import t5_files

NUM_PIECES = 150
SPARE = 100


def json_files() -> list[bytes]:
    """Two of the library's form, with and without a table of replacements."""
    pieces = t5_files.many_pieces(NUM_PIECES)
    tables = (b"", t5_files.charsmap({"ﬁ".encode(): "fi", b"\t": " "}))
    return [json.dumps(t5_files.as_json(pieces, table)).encode() for table in tables]


def spiece_files() -> list[bytes]:
    """One of SentencePiece's form."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        pieces = t5_files.many_pieces(NUM_PIECES)[:-SPARE]
        return [t5_files.write_spiece(Path(folder) / "spiece.model", pieces, t5_files.nfkc_table()).read_bytes()]


def read(folder: Path) -> object:
    """The tokenizer in a folder, at work on a prompt."""
    from nodes.backend import t5_prompt, unigram

    words = unigram.read(folder, len(t5_files.many_pieces(NUM_PIECES)))
    return t5_prompt.tokenizer(words).encode("a ﬁne cat ①\t on <extra_id_3>").ids
