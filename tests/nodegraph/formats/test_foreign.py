"""Whoever takes the wrong file for a workflow is told what it is."""

import io
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nodegraph.formats import foreign, png, workflow
from nodegraph.text import MAX_QUOTED, quoted
from tests.examples import each
from tests.nodegraph.formats.test_png import PICTURE

FLOW = '{"version": 1, "nodes": {}, "links": []}\n'


def picture(kind: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, kind)
    return file.getvalue()


def said_of(tmp_path: Path, data: bytes, name: str = "photo.jpg") -> str:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(workflow.WorkflowError) as caught:
        workflow.load(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("kind", ["JPEG", "GIF", "BMP", "TIFF", "WebP"])
def test_a_picture_of_another_format_is_named(tmp_path: Path, kind: str):
    said = said_of(tmp_path, picture(kind))
    assert f"it is a {kind} picture; of pictures, only PNG files that this program saved hold a workflow" in said


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_workflow_in_another_encoding_is_named(tmp_path: Path, encoding: str):
    said = said_of(tmp_path, FLOW.encode(encoding))
    assert f"it is text in UTF-{encoding[4:6]}; save it as UTF-8" in said


def test_utf_8_with_a_mark_is_read(tmp_path: Path):
    (tmp_path / "w.json").write_bytes(FLOW.encode("utf-8-sig"))
    assert workflow.load(tmp_path / "w.json").nodes == {}


FORMATS: dict[str, tuple[bytes, str]] = {
    "safetensors": (struct.pack("<Q", 2) + b"{}", "a safetensors file of weights"),
    "zip": (b"PK\x03\x04" + bytes(60), "a ZIP archive"),
    "pickle": (b"\x80\x02}q\x00.", "a pickle of Python"),
    "gguf": (b"GGUF\x03\0\0\0" + bytes(20), "a GGUF file"),
    "pdf": (b"%PDF-1.7\n", "a PDF document"),
    "mp4": (struct.pack(">I", 32) + b"ftypisom" + bytes(20), "a video (MP4 or QuickTime)"),
    "avif": (struct.pack(">I", 32) + b"ftypavif" + bytes(20), "an AVIF picture"),
    "html": (b"\n<!DOCTYPE html><html></html>", "a web page"),
    "svg": (b'<?xml version="1.0"?><svg/>', "an SVG picture"),
}


@each("name", FORMATS)
def test_a_file_of_a_known_format_is_named(tmp_path: Path, name: str):
    data, kind = FORMATS[name]
    assert f"not a workflow: it is {kind}" in said_of(tmp_path, data, f"a.{name}")


def test_a_large_file_of_another_format_is_named_unread(tmp_path: Path):
    path = tmp_path / "film.mp4"
    with path.open("wb") as file:
        file.write(FORMATS["mp4"][0])
        file.truncate(workflow.MAX_BYTES * 100)
    with pytest.raises(workflow.WorkflowError, match="a video"):
        workflow.load(path)


COMFY = {"last_node_id": 1, "nodes": [{"id": 1, "type": "KSampler"}], "links": [], "version": 0.4}
API = {"3": {"class_type": "KSampler", "inputs": {"seed": 7}}}
OBJECTS: dict[str, tuple[Any, str]] = {
    "comfy": (COMFY, "a workflow of ComfyUI"),
    "comfy, version 1": ({"version": 1, "state": {}, "nodes": [], "links": []}, "a workflow of ComfyUI"),
    "comfy, API": (API, "a workflow of ComfyUI, in the form for its API"),
    "comfy, request": ({"prompt": API, "client_id": "x"}, "a workflow of ComfyUI, in the form for its API"),
    "invoke": ({"meta": {"version": "3.0.0"}, "nodes": [], "edges": []}, "a workflow of InvokeAI"),
    "invoke, graph": ({"id": "a", "nodes": {}, "edges": []}, "a graph of InvokeAI"),
    "chainner": ({"version": "0.24", "content": {"nodes": [], "edges": []}}, "a workflow of chaiNNer"),
    "n8n": ({"nodes": [], "connections": {}}, "a workflow of n8n"),
    "diffusers": ({"_class_name": "StableDiffusionPipeline"}, "a settings file of a diffusers model"),
    "index": ({"metadata": {}, "weight_map": {}}, "the list of a model's files of weights"),
    "notebook": ({"nbformat": 4, "cells": []}, "a Jupyter notebook"),
}


@each("name", OBJECTS)
def test_a_workflow_of_another_program_is_named(tmp_path: Path, name: str):
    data, kind = OBJECTS[name]
    assert f"not a workflow of this program: it is {kind}" in said_of(tmp_path, json.dumps(data).encode(), "w.json")


@pytest.mark.parametrize(
    ("keyword", "kind"),
    [
        ("workflow", "a workflow of ComfyUI"),
        ("prompt", "a workflow of ComfyUI, in the form for its API"),
        ("parameters", "the settings of a web UI"),
        ("invokeai_metadata", "the settings of InvokeAI"),
    ],
)
def test_a_picture_of_another_program_is_named(tmp_path: Path, keyword: str, kind: str):
    assert f"is a picture with {kind}" in said_of(tmp_path, png.with_texts(PICTURE, {keyword: "x"}), "p.png")


@given(st.binary(max_size=100))
def test_any_bytes_are_named_or_read_as_text(data: bytes):
    kind = foreign.format_of(data)
    assert kind is None or kind.startswith(("a ", "an ", "text"))
    try:
        workflow.loads(data)
    except workflow.WorkflowError as error:
        message = str(error)
    else:
        message = ""
    assert "\n" not in message


@given(st.text(alphabet='{}[]",: \n0123456789abcdefnull.', max_size=60))
def test_no_json_text_is_taken_for_another_format(text: str):
    if text.lstrip().startswith(("{", "[")):
        assert foreign.format_of(text.encode()) is None


LONG = "x" * 100_000
SAID: dict[str, Any] = {
    "mode": {"nodes": {"a": {"type": "t", "mode": LONG}}},
    "seed mode": {"nodes": {"a": {"type": "t", "seed_mode": [LONG] * 9}}},
    "link": {"links": [[LONG, LONG]]},
    "link to nowhere": {"links": [[[LONG, "x"], [LONG, "y"]]]},
    "name": {"nodes": {LONG: {"type": "t"}}},
    "type": {"nodes": {"a": {"type": LONG}}},
    "parameter": {"nodes": {"a": {"type": "t", "params": {LONG: {LONG: {LONG: 1e999}}}}}},
    "group": {"groups": {LONG: {}}},
    "group's input": {"groups": {"G": {"inputs": {LONG: 7}}}},
    "version": {"version": 10**4000},
}


@each("name", SAID)
def test_a_refusal_quotes_little_of_its_input(name: str):
    with pytest.raises(workflow.WorkflowError) as caught:
        workflow.loads(json.dumps({"version": 1} | SAID[name]))
    assert len(str(caught.value)) < 3 * MAX_QUOTED


def test_a_name_that_stands_twice_is_quoted_in_short():
    with pytest.raises(workflow.WorkflowError, match="stands twice") as caught:
        workflow.loads(f'{{"version": 1, "{LONG}": 1, "{LONG}": 2}}')
    assert len(str(caught.value)) < 2 * MAX_QUOTED


@pytest.mark.parametrize("where", ["9" * 5000, "-" + "9" * 5000, "[1, " + "9" * 5000 + "]"])
def test_a_number_of_thousands_of_digits_is_said_without_advice_for_programmers(where: str):
    with pytest.raises(workflow.WorkflowError, match=r"more than 4,300 digits$"):
        workflow.loads(f'{{"version": 1, "nodes": {{"a": {{"type": "t", "params": {{"p": {where}}}}}}}}}')


def test_a_number_that_python_does_not_write_out_can_be_quoted():
    assert quoted(10**5000) == "a number of thousands of digits"
    assert len(quoted(10**4000)) == MAX_QUOTED


@pytest.mark.parametrize("length", [0x0280, 0x8B1F, 0x4D42, 0x5A4D])
def test_the_length_of_a_header_makes_no_other_format_of_weights(length: int):
    """A safetensors file begins with it; its low bytes may be those that a pickle, gzip, BMP or program begins with."""
    head = length.to_bytes(8, "little") + b'{"__metadata__":{}}'
    assert "safetensors" in (foreign.format_of(head) or "")
