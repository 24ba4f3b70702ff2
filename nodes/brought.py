"""What files, folders and texts mean that a person drops, pastes or opens: which node takes them.

A file of weights is told by the table of its tensors; nothing else of it is read.
"""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path

from nodegraph.domain import Brought

WEIGHTS = (".safetensors", ".gguf")
SOME = 10_000
"""Files of a folder that are looked at, as many as a key covers."""

LONGEST_PROMPT = 2000
"""Characters. Prompts of several hundred words exist; what is longer is an article."""

TAKEN_BY = {
    "checkpoint": "load.checkpoint",
    "denoiser": "load.denoiser",
    "lora": "adapter.lora",
    "controlnet": "control.load",
    "vae": "load.vae",
    "text encoder": "load.text_encoders",
    "embedding": "text.load_embedding",
    "pixel model": "load.pixel_model",
}
"""By the kind of a file, the type of the node that takes it."""

NO_PROMPT = (
    r"\w+://",  # a link
    r"^\s*([#>*+-]|\d+[.)])\s",  # Markdown: a heading, a quotation, a list
    r"```|\|---|\[[^\]]*\]\(",  # code, a table, a link
    r"\S\s*\n\s*\n\s*\S",  # paragraphs
    r"\A\s*(\{|\[\s*[\"{\[])|\A\s*<[!?\w]+[\s>]",  # data, a web page
    r"\?\s*$|\b(todo|fixme|note|remember|reminder)\b",  # said to a person
)
"""What is in texts that describe no picture; found with lines and without capitals."""


def file_becomes(path: Path) -> Brought | None:
    """See `nodegraph.domain.Domain`."""
    if path.is_dir():
        return _folder(path)
    if path.suffix.lower() in WEIGHTS:
        return _with_settings(path) or _made(_weights(path), path)
    return _made("image.load", path) if _is_picture(path) else None


def text_becomes(text: str) -> Brought | None:
    """A prompt, unless the text has what prompts never have: then it is a text like any other."""
    text = text.strip()
    if not text or len(text) > LONGEST_PROMPT:
        return None
    if any(re.search(sign, text, re.MULTILINE | re.IGNORECASE) for sign in NO_PROMPT):
        return None
    return Brought("text.encode", {"text": text})


def _made(type: str, path: Path) -> Brought:
    return Brought(type, {"path": str(path)})


def _is_picture(path: Path) -> bool:
    """By its content; a name that ends otherwise is believed, so that workflows are opened without Pillow."""
    from nodes.backend import picture_size
    from nodes.image import IMAGE_FILE

    named = path.suffix.lower() in ("", *IMAGE_FILE.suffixes)
    return named and path.is_file() and picture_size.read(path) is not None


def _folder(path: Path) -> Brought | None:
    """A model that comes as a folder, or pictures. Raises ValueError when it is a model and damaged."""
    from nodes.backend import labels

    if told := labels.look(path):
        return _made(TAKEN_BY[told.kind], path)
    return Brought("image.load_folder", {"folder": str(path)}) if _holds_pictures(path) else None


def _holds_pictures(folder: Path) -> bool:
    """Whether at least half of its files are pictures: the others may be what is said of each."""
    from nodes.image import IMAGE_FILE

    files = [path for path in islice(folder.iterdir(), SOME) if path.is_file() and path.name[0] != "."]
    pictures = sum(path.suffix.lower() in IMAGE_FILE.suffixes for path in files)
    return 0 < len(files) <= 2 * pictures


def _with_settings(path: Path) -> Brought | None:
    """The folder of a denoiser's weights, where it holds nothing else: the settings in it say what no tensor does."""
    from nodes.backend import checkpoints, families

    folder = path.parent
    if not (folder / "config.json").is_file():
        return None
    try:
        found = checkpoints.look(folder)
        family = families.recognise(found)
    except ValueError:  # settings of something else, or damaged: the file is still what its tensors say
        return None
    spec = family.roles[family.denoiser] if family else None
    ours = spec is not None and path.name == f"{spec.architecture.stem}.safetensors"
    return _made("load.denoiser", folder) if ours and "" in found.kinds else None


def _weights(path: Path) -> str:
    """The type of node that takes a file of weights. Raises ValueError when it is damaged, or nothing we know."""
    from nodes.backend import checkpoints, labels

    return TAKEN_BY[labels.kind_of(checkpoints.look(path))]
