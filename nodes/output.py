"""Results: files and previews."""

from __future__ import annotations

import json
import os
import re
from itertools import count
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from nodegraph.formats import png
from nodegraph.formats.files import write_new
from nodegraph.node import Check, Context, node
from nodes.types import Image

FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\ud800-\udfff]')
"""What some file system does not take, or no program can write: the last are halves of a pair, which mean nothing."""

MAX_NAME = 200
"""Bytes of a name, as UTF-8: file systems take 255, and a number and an ending are added."""


def name_complaint(filename: str) -> str | None:
    if not filename.strip() or FORBIDDEN.search(filename) or filename.startswith("."):
        return f"filename must be a plain name without / \\ : * ? and the like, got {filename[:MAX_NAME]!r}"
    if len(filename.encode()) > MAX_NAME:
        return f"filename must be no longer than {MAX_NAME} bytes, got {len(filename.encode())}"
    return None


def folder_complaint(folder: str) -> str | None:
    """A workflow from somebody else must not write wherever it likes."""
    parts = PurePosixPath(folder.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or any(FORBIDDEN.search(part) for part in parts.parts):
        return f"folder must be inside the output folder, got {folder[:MAX_NAME]!r}"
    if any(len(part.encode()) > MAX_NAME for part in parts.parts):
        return f"folder must have no name longer than {MAX_NAME} bytes, got {folder[:MAX_NAME]!r}"
    return None


FileName = Annotated[str, Check(name_complaint)]
Folder = Annotated[str, Check(folder_complaint)]


@node("output.save_image", title="Save image", aliases=("write", "PNG", "file"))
def save_image(ctx: Context, image: Image, filename: FileName = "denoodle", folder: Folder = "") -> None:
    """Write each picture as filename_00001.png, filename_00002.png, ...; nothing is ever overwritten.

    folder: inside the output folder. The workflow is stored in the file: open the picture to get it back. Of a batch,
    each picture gets the workflow that makes that one alone, where a batch_index can tell.
    """
    from nodes.backend import picture_files

    check_name(filename)
    target = output_folder(ctx.out_dir, folder)
    count = len(image.pixels)
    for item, pixels in enumerate(image.pixels):
        made_by = ctx.workflow_of(item, count)
        texts = {png.KEYWORD: made_by, png.PARAMETERS: parameters(made_by)} if made_by else {}
        ctx.saved(str(write_numbered(target, filename, png.with_texts(picture_files.png(pixels), texts))))


@node("output.preview", aliases=("show", "view"))
def preview(image: Image) -> None:
    """Show a picture: as every sink, it looks like what it is given."""


def parameters(workflow: str) -> str:
    """What a person wants to know of a workflow: a line for each node, with the values that were set."""
    nodes: dict[str, Any] = json.loads(workflow)["nodes"]
    lines = {name: ", ".join(f"{k}: {v}" for k, v in entry.get("params", {}).items()) for name, entry in nodes.items()}
    return "\n".join(f"{name} ({nodes[name]['type']}) {values}".rstrip() for name, values in lines.items())


def output_folder(out_dir: str, folder: str) -> Path:
    """Created when missing. Raises ValueError, and makes nothing, when it would lead out of the output folder."""
    if complaint := folder_complaint(folder):
        raise ValueError(complaint)
    target = Path(out_dir).joinpath(folder.replace("\\", "/"))
    try:
        inside = target.resolve().is_relative_to(Path(out_dir).resolve())
    except (OSError, RuntimeError) as error:  # links in a circle
        raise ValueError(f"folder {folder!r} of the output folder cannot be used: {error}") from error
    if not inside:
        raise ValueError(f"folder must be inside the output folder; {folder!r} is a link that leads out of it")
    target.mkdir(parents=True, exist_ok=True)
    return target


def check_name(filename: str) -> None:
    """Raises ValueError when it is no plain name."""
    if complaint := name_complaint(filename):
        raise ValueError(complaint)


def write_numbered(folder: Path, filename: str, data: bytes) -> Path:
    """Write a picture under the next free number. However many processes write, each gets numbers of its own."""
    taken = re.compile(re.escape(filename) + r"_([0-9]+)\.png")
    highest = max((int(match[1]) for name in os.listdir(folder) if (match := taken.fullmatch(name))), default=0)
    paths = (folder / f"{filename}_{number:05d}.png" for number in count(highest + 1))
    return next(path for path in paths if write_new(path, data))
