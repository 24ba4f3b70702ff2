"""Fetches the artwork packs through npm by name and version, and renders their icons to RGBA sprites."""

import io
import json
import subprocess
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from tools.starter.concepts import NAMING_PACK, Pack

SPRITE_SIZE = 160  # pixels; more than the model's pictures, so that every drawing is scaled down

Icons = dict[str, str | bytes]  # icon name -> SVG document, or a picture file


def archive_path(pack: Pack, cache: Path) -> Path:
    """Where npm puts the package of a pack."""
    return cache / f"{pack.name.lstrip('@').replace('/', '-')}-{pack.version}.tgz"


def fetch(pack: Pack, cache: Path) -> Path:
    """The package's archive, downloaded with `npm pack` unless it is in the cache."""
    archive = archive_path(pack, cache)
    if not archive.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "pack", f"{pack.name}@{pack.version}", "--silent"], cwd=cache, check=True)
    return archive


def read_pack(pack: Pack, cache: Path) -> Icons:
    """The icons of a pack by name; archives are read, never unpacked."""
    archive = fetch(pack, cache)
    if pack.contents == "iconify":
        return read_icons(archive)
    return read_pictures(archive, _member(fetch(NAMING_PACK, cache), "chars.json"))


def _member(archive: Path, name: str) -> dict[str, Any]:
    with tarfile.open(archive) as package:
        try:
            member = package.extractfile(f"package/{name}")
        except KeyError:
            member = None
        if member is None:
            raise ValueError(f"{archive} has no package/{name}: it is no Iconify JSON package")
        return json.load(member)


def read_icons(archive: Path) -> Icons:
    """SVG documents of an Iconify JSON package, aliases included."""
    collection = _member(archive, "icons.json")
    default_size = (collection.get("width", 16), collection.get("height", 16))
    icons: Icons = {name: svg_document(icon, default_size) for name, icon in collection["icons"].items()}
    plain_aliases = {name: alias["parent"] for name, alias in collection.get("aliases", {}).items() if len(alias) == 1}
    return icons | {name: icons[parent] for name, parent in plain_aliases.items() if parent in icons}


def read_pictures(archive: Path, names: dict[str, str]) -> Icons:
    """WebP files of a package with one for each code point; names: code point -> icon name."""
    pictures: Icons = {}
    with tarfile.open(archive) as package:
        for member in package:
            # Some files carry the code point that asks for the coloured form, and the list of names never does.
            code_point = Path(member.name).stem.replace("-fe0f", "")
            stream = package.extractfile(member) if member.name.endswith(".webp") else None
            if stream is not None and code_point in names:
                pictures[names[code_point]] = stream.read()
    return pictures


def svg_document(icon: dict[str, Any], default_size: tuple[int, int]) -> str:
    """An Iconify icon (body and view box) as a whole SVG document."""
    width, height = icon.get("width", default_size[0]), icon.get("height", default_size[1])
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{icon.get("left", 0)} {icon.get("top", 0)} {width} {height}">{icon["body"]}</svg>'
    )


def render(icon: str | bytes, size: int = SPRITE_SIZE) -> Image.Image:
    """RGBA picture of an icon, cut to what is drawn and scaled so that its longer side is `size` pixels."""
    if isinstance(icon, bytes):
        sprite = Image.open(io.BytesIO(icon)).convert("RGBA")
    else:
        left, top, right, bottom = _rasterise(icon, size).getbbox() or (0, 0, size, size)
        sprite = _rasterise(icon, round(size * size / max(right - left, bottom - top)))
    sprite = sprite.crop(sprite.getbbox() or (0, 0, *sprite.size))
    sprite.thumbnail((size, size), Image.Resampling.LANCZOS)
    return sprite


def _rasterise(svg: str, size: int) -> Image.Image:
    # Here, so that the other stages and their tests run where the renderer is not installed.
    from resvg_py import svg_to_bytes

    png = svg_to_bytes(svg_string=svg, width=size, height=size, skip_system_fonts=True)
    return Image.open(io.BytesIO(bytes(png))).convert("RGBA")


def render_pack(
    pack: Pack, icons: Icons, names: Iterable[str], advance: Callable[[], None] = lambda: None
) -> dict[str, Tensor]:
    """Sprites of the named icons that the pack has, as uint8 [height, width, 4] under "package/icon"."""
    sprites: dict[str, Tensor] = {}
    for name in names:
        if name in icons:
            sprites[f"{pack.name}/{name}"] = torch.from_numpy(np.array(render(icons[name])))
        advance()
    return sprites


def other_icons(packs_icons: list[Icons], excluded: set[str], count: int) -> list[str]:
    """`count` icon names shared by all packs, evenly spread over the alphabet: more shapes for the autoencoder."""
    first, *others = packs_icons
    shared = sorted(set(first).intersection(*others) - excluded)
    pictures = [name for name in shared if "flag" not in name and "skin-tone" not in name]
    return pictures[:: max(1, len(pictures) // count)][:count]
