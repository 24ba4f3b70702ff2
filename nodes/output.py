"""Results: files and previews."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from nodegraph.formats import png
from nodegraph.node import Check, Context, node
from nodes import naming
from nodes.naming import FORBIDDEN, MAX_NAME
from nodes.types import Image


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
    """Write each picture as filename_00001.png, filename_00002.png, ..., or as the settings say.

    Nothing is ever overwritten. The workflow is stored in the file: open the picture to get it back. Of a batch, each
    picture gets the workflow that makes that one alone, where a batch_index can tell.
    folder: inside the output folder.
    """
    from nodes.backend import picture_files

    check_name(filename)
    if why := naming.complaint(ctx.naming):
        raise ValueError(f"the names of pictures, {ctx.naming[:MAX_NAME]!r} in the settings: {why}")
    target = output_folder(ctx.out_dir, folder)
    count = len(image.pixels)
    height, width = image.pixels.shape[-2:]
    for item, pixels in enumerate(image.pixels):
        made_by = ctx.workflow_of(item, count)
        named = naming.parts(ctx.naming, filename, naming.facts(made_by, item, width, height), datetime.now())
        carried = made_by if ctx.carries_workflow else ""
        texts = {png.KEYWORD: carried, png.PARAMETERS: parameters(carried)} if carried else {}
        ctx.saved(str(naming.write(target, *named, png.with_texts(picture_files.png(pixels), texts))))


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
