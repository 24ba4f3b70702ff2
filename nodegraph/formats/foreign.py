"""What a file is that was given for a workflow: whoever took the wrong one is told what it is, not what it lacks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

HEAD = 4096
"""Bytes that tell a format."""

ONLY_PNG = "; of pictures, only PNG files that this program saved hold a workflow"

_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", f"a JPEG picture{ONLY_PNG}"),
    (b"GIF8", f"a GIF picture{ONLY_PNG}"),
    (b"BM", f"a BMP picture{ONLY_PNG}"),
    (b"II*\0", f"a TIFF picture{ONLY_PNG}"),
    (b"MM\0*", f"a TIFF picture{ONLY_PNG}"),
    (b"8BPS", f"a Photoshop picture{ONLY_PNG}"),
    (b"\xff\x0a", f"a JPEG XL picture{ONLY_PNG}"),
    (b"\0\0\0\x0cJXL ", f"a JPEG XL picture{ONLY_PNG}"),
    (b"PK\x03\x04", "a ZIP archive, or a file that is one inside, such as a .ckpt or .pt of weights"),
    (b"\x80\x02", "a pickle of Python, such as a .ckpt of weights"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"GGUF", "a GGUF file of weights; a node that loads it takes it"),
    (b"%PDF", "a PDF document"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program of Windows"),
    (b"\x1aE\xdf\xa3", "a video (Matroska or WebM)"),
    (b"\xff\xfe\0\0", "text in UTF-32; save it as UTF-8"),
    (b"\0\0\xfe\xff", "text in UTF-32; save it as UTF-8"),
    (b"\xff\xfe", "text in UTF-16; save it as UTF-8"),
    (b"\xfe\xff", "text in UTF-16; save it as UTF-8"),
)
_BRANDS = {
    b"avif": f"an AVIF picture{ONLY_PNG}",
    b"heic": f"a HEIC picture{ONLY_PNG}",
    b"heix": f"a HEIC picture{ONLY_PNG}",
    b"mif1": f"a HEIF picture{ONLY_PNG}",
}
"""Of the ISO base media format, ISO/IEC 14496-12, section 4.3; every other is a video."""


def format_of(head: bytes) -> str | None:
    """What a file that begins with these bytes is, as the end of "it is"; None for text, and for what is not known.

    head: the first HEAD bytes, or all.
    """
    # First: it begins with a length, whose bytes may be those of any other format.
    if 0 < int.from_bytes(head[:8], "little") < 1 << 27 and head[8:9] == b"{":
        return "a safetensors file of weights; a node that loads it takes it"
    for start, kind in _STARTS:
        if head.startswith(start) and not (start in (b"BM", b"MZ") and _is_text(head)):
            return kind
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "a video (MP4 or QuickTime)")
    if head[:4] == b"RIFF":
        return f"a WebP picture{ONLY_PNG}" if head[8:12] == b"WEBP" else "a sound or a video (RIFF)"
    return _text_of(head)


def _is_text(head: bytes) -> bool:
    return not any(byte < 9 for byte in head)


def _text_of(head: bytes) -> str | None:
    """UTF-16 without a mark at its start, and text that is another thing than JSON."""
    pairs = head[: len(head) // 2 * 2]
    for zeros, others in ((pairs[1::2], pairs[::2]), (pairs[::2], pairs[1::2])):
        if len(zeros) > 3 and zeros.count(0) > 0.9 * len(zeros) and others.count(0) == 0:
            return "text in UTF-16; save it as UTF-8"
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:100].lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "a web page"
    if start.startswith((b"<?xml", b"<svg")):
        return "an XML document" if b"<svg" not in head.lower() else f"an SVG picture{ONLY_PNG}"
    return None


def maker_of(data: Mapping[str, Any]) -> str | None:
    """What a JSON object is, when it is something known that is no workflow of this program."""
    nodes = data.get("nodes")
    if isinstance(nodes, list):
        if "edges" in data and ("exposedFields" in data or "meta" in data or "form" in data):
            return "a workflow of InvokeAI"
        if "connections" in data:
            return "a workflow of n8n"
        if "last_node_id" in data or "state" in data or _has_all("id", cast("list[Any]", nodes)):
            return "a workflow of ComfyUI"
    if _has_all("class_type", data.values()) or _has_all("class_type", _values(data.get("prompt"))):
        return "a workflow of ComfyUI, in the form for its API"
    if isinstance(nodes, dict) and isinstance(data.get("edges"), list):
        return "a graph of InvokeAI"
    if isinstance(data.get("content"), dict) and "nodes" in cast("dict[str, Any]", data["content"]):
        return "a workflow of chaiNNer"
    for names, kind in _OBJECTS:
        if all(name in data for name in names):
            return kind
    return None


_OBJECTS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("_class_name",), "a settings file of a diffusers model; a node that loads it takes the folder it is in"),
    (("_diffusers_version",), "a settings file of a diffusers model; a node that loads it takes the folder it is in"),
    (("weight_map",), "the list of a model's files of weights"),
    (("model_type",), "a settings file of a transformers model"),
    (("drawflow",), "a workflow of Drawflow"),
    (("nbformat", "cells"), "a Jupyter notebook"),
)

TEXTS: tuple[tuple[str, str], ...] = (
    ("workflow", "a workflow of ComfyUI"),
    ("prompt", "a workflow of ComfyUI, in the form for its API"),
    ("invokeai_workflow", "a workflow of InvokeAI"),
    ("invokeai_graph", "a graph of InvokeAI"),
    ("invokeai_metadata", "the settings of InvokeAI"),
    ("sd-metadata", "the settings of InvokeAI"),
    ("parameters", "the settings of a web UI, such as AUTOMATIC1111's"),
)
"""What other programs write into a PNG, by the keyword of the text; the first that is there tells."""


def writer_of(keywords: Iterable[str]) -> str | None:
    """What a picture with texts of these keywords holds."""
    found = set(keywords)
    return next((kind for keyword, kind in TEXTS if keyword in found), None)


def _values(data: Any) -> Iterable[Any]:
    return cast("dict[str, Any]", data).values() if isinstance(data, dict) else ()


def _has_all(name: str, entries: Iterable[Any]) -> bool:
    """Whether there are entries, all of them objects with this field."""
    found = [isinstance(entry, dict) and name in entry for entry in entries]
    return bool(found) and all(found)
