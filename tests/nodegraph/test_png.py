import struct
import zlib
from pathlib import Path

import pytest

from nodegraph import png, workflow
from nodegraph.graph import Graph, Node


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", zlib.crc32(kind + body))


HEADER = png.SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
PIXELS = chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"")
PICTURE = HEADER + PIXELS


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "picture.png"


def test_texts_come_back_from_a_picture(path: Path):
    texts = {png.KEYWORD: '{"prompt": "een kat, 猫"}', png.PARAMETERS: "seed 7"}
    path.write_bytes(png.with_texts(PICTURE, texts))
    assert png.read_texts(path) == texts


def test_a_picture_with_texts_is_still_a_picture(path: Path):
    from PIL import Image

    path.write_bytes(png.with_texts(PICTURE, {png.KEYWORD: "猫" * 1000}))
    with Image.open(path) as image:
        image.load()
        assert image.size == (1, 1)
        assert image.text[png.KEYWORD] == "猫" * 1000


def test_texts_that_pillow_writes_are_read(path: Path):
    from PIL import Image, PngImagePlugin

    info = PngImagePlugin.PngInfo()
    info.add_text("plain", "a")
    info.add_text("packed", "b" * 500, zip=True)
    info.add_itxt("international", "猫", zip=True)
    Image.new("RGB", (2, 2)).save(path, pnginfo=info)
    assert png.read_texts(path) == {"plain": "a", "packed": "b" * 500, "international": "猫"}


def test_a_saved_picture_opens_as_the_workflow_that_made_it(path: Path):
    graph = Graph({"a": Node("toy.box", {"value": 2.0})})
    path.write_bytes(png.with_texts(PICTURE, {png.KEYWORD: workflow.dumps(graph)}))
    assert workflow.load(path) == graph


BOMB = b"denoodle\0\0" + zlib.compress(b"0" * (png.MAX_TEXT + 1))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"GIF89a", "it is not a PNG file"),
        (HEADER, "the file is truncated"),
        (HEADER + chunk(b"tEXt", b"a\0b")[:-3], "the file is truncated"),
        (HEADER + b"\x7f\xff\xff\xffIDAT", "the file is truncated"),
        (HEADER + b"\x7f\xff\xff\xfftEXt", "a text is larger than 64 MB"),
        (HEADER + chunk(b"tEXt", b"a\0b").replace(b"a\0b", b"a\0c") + PIXELS, "damaged"),
        (HEADER + chunk(b"zTXt", b"a\0\0not zlib") + PIXELS, "incorrect header check"),
        (HEADER + chunk(b"zTXt", BOMB) + PIXELS, "a text is larger than 64 MB"),
        (HEADER + chunk(b"iTXt", b"a\0\0\0\0\0\xff") + PIXELS, "invalid start byte"),
        (PICTURE, "without a workflow inside"),
    ],
)
def test_a_bad_picture_is_one_sentence_naming_the_file(path: Path, data: bytes, message: str):
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"picture\.png") as error:
        png.read_workflow(path)
    assert message in str(error.value)


def test_texts_go_only_into_pictures():
    with pytest.raises(ValueError, match="not a PNG file"):
        png.with_texts(b"GIF89a", {})
