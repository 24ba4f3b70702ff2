"""Results: files and previews."""

from __future__ import annotations

import json
import re
from pathlib import Path, PurePosixPath
from typing import Any

from nodegraph import png
from nodegraph.files import write_atomic
from nodegraph.node import Context, node
from nodes.types import Image

FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f]')


@node("output.save_image", title="Save image", aliases=("write", "PNG", "file"))
def save_image(ctx: Context, image: Image, filename: str = "denoodle", folder: str = "") -> None:
    """Write each picture as filename_00001.png, filename_00002.png, ...; nothing is ever overwritten.

    folder: inside the output folder. The workflow is stored in the file: open the picture to get it back.
    """
    from nodes.backend import images

    target = output_folder(ctx.out_dir, folder)
    check_name(filename)
    texts = {png.KEYWORD: ctx.workflow, png.PARAMETERS: parameters(ctx.workflow)} if ctx.workflow else {}
    for pixels in image.pixels:
        data = png.with_texts(images.png(pixels), texts)
        path = _claim(target, filename)
        try:
            write_atomic(path, data)
        except OSError:
            path.unlink()
            raise
        ctx.saved(str(path))


@node("output.preview", aliases=("show", "view"))
def preview(ctx: Context, image: Image) -> None:
    """Show a picture."""
    ctx.progress(1, 1, image.preview)


def parameters(workflow: str) -> str:
    """What a person wants to know of a workflow: a line for each node, with the values that were set."""
    nodes: dict[str, Any] = json.loads(workflow)["nodes"]
    lines = {name: ", ".join(f"{k}: {v}" for k, v in entry.get("params", {}).items()) for name, entry in nodes.items()}
    return "\n".join(f"{name} ({nodes[name]['type']}) {values}".rstrip() for name, values in lines.items())


def output_folder(out_dir: str, folder: str) -> Path:
    """Created when missing. Raises ValueError when the folder would lead out of the output folder.

    A workflow from somebody else must not write wherever it likes.
    """
    parts = PurePosixPath(folder.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or any(FORBIDDEN.search(part) for part in parts.parts):
        raise ValueError(f"folder must be inside the output folder, got {folder!r}")
    target = Path(out_dir).joinpath(*parts.parts)
    target.mkdir(parents=True, exist_ok=True)
    if not target.resolve().is_relative_to(Path(out_dir).resolve()):
        raise ValueError(f"folder must be inside the output folder; {folder!r} is a link that leads out of it")
    return target


def check_name(filename: str) -> None:
    if not filename.strip() or FORBIDDEN.search(filename) or filename.startswith("."):
        raise ValueError(f"filename must be a plain name without / \\ : * ? and the like, got {filename!r}")


def _claim(folder: Path, filename: str) -> Path:
    """An empty file of the next free number: made in one go, so two programs never take the same."""
    taken = re.compile(re.escape(filename) + r"_(\d+)\.png")
    numbers = [int(match[1]) for entry in folder.iterdir() if (match := taken.fullmatch(entry.name))]
    number = max(numbers, default=0)
    while True:
        number += 1
        path = folder / f"{filename}_{number:05d}.png"
        try:
            path.touch(exist_ok=False)
        except FileExistsError:
            continue
        return path
