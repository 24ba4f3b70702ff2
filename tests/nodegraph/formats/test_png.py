import struct
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodegraph.formats import png, workflow
from nodegraph.graph import Graph, Node
from tests.nodegraph.test_text import NASTY


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
    assert {keyword: png.read_text(path, keyword) for keyword in texts} == texts


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
    texts = {"plain": "a", "packed": "b" * 500, "international": "猫"}
    assert {keyword: png.read_text(path, keyword) for keyword in texts} == texts


def test_a_saved_picture_opens_as_the_workflow_that_made_it(path: Path):
    graph = Graph({"a": Node("toy.box", {"value": 2.0})})
    path.write_bytes(png.with_texts(PICTURE, {png.KEYWORD: workflow.dumps(graph)}))
    assert workflow.load(path) == graph


def bomb() -> bytes:
    """More than MAX_TEXT zeros, of a block that is packed once: every process that collects the tests packs it."""
    packer = zlib.compressobj(1)
    head, block = (packer.compress(b"0" * (1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    return head + block * (png.MAX_TEXT >> 20)


BOMB = b"denoodle\0\0" + bomb()
OURS = chunk(b"tEXt", b"denoodle\0{}")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"GIF89a", "it is not a PNG file"),
        (HEADER, "the file is truncated"),
        (HEADER + OURS[:-3], "the file is truncated"),
        (HEADER + b"\x7f\xff\xff\xffIDAT", "the file is truncated"),
        (HEADER + b"\x7f\xff\xff\xfftEXtdenoodle\0", "a text is larger than 64 MB"),
        (HEADER + OURS.replace(b"{}", b"[]") + PIXELS, "its text is damaged"),
        (HEADER + chunk(b"zTXt", b"denoodle\0\0not zlib") + PIXELS, "incorrect header check"),
        (HEADER + chunk(b"zTXt", b"denoodle\0\0" + zlib.compress(b"0" * 99)[:-9]) + PIXELS, "it ends too early"),
        (HEADER + chunk(b"zTXt", BOMB) + PIXELS, "a text is larger than 64 MB"),
        (HEADER + chunk(b"iTXt", b"denoodle\0\0\0\0\0\xff") + PIXELS, "invalid start byte"),
        (HEADER + chunk(b"junk", b"") * (png.MAX_CHUNKS + 1) + PIXELS, "more than 200,000 parts"),
        (PICTURE, "without a workflow inside"),
    ],
)
def test_a_bad_picture_is_one_sentence_naming_the_file(path: Path, data: bytes, message: str):
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"picture\.png") as error:
        png.read_workflow(path)
    assert message in str(error.value)


FOREIGN = {
    "wrong checksum": chunk(b"tEXt", b"Comment\0x").replace(b"\0x", b"\0y"),
    "no zlib": chunk(b"zTXt", b"Comment\0\0not zlib"),
    "no UTF-8": chunk(b"iTXt", b"Comment\0\0\0\0\0\xff"),
    "no keyword": chunk(b"tEXt", b"denoodle"),
    "a longer keyword": chunk(b"tEXt", b"denoodler\0x"),
    "empty": chunk(b"tEXt", b""),
    "bomb": chunk(b"zTXt", BOMB.replace(b"denoodle", b"Comments")),
    "profile": chunk(b"iCCP", b"\xff" * 99).replace(b"\xff\xff", b"\xff\0", 1),
}


@pytest.mark.parametrize("foreign", FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize("behind", [False, True])
def test_what_other_programs_wrote_does_not_hide_the_workflow(path: Path, foreign: bytes, behind: bool):
    texts = OURS + foreign if behind else foreign + OURS
    path.write_bytes(HEADER + texts + PIXELS)
    assert png.read_workflow(path) == "{}"


def test_a_workflow_behind_the_pixels_is_found(path: Path):
    path.write_bytes(PICTURE.replace(chunk(b"IEND", b""), OURS + chunk(b"IEND", b"")))
    assert png.read_workflow(path) == "{}"


def test_only_the_text_that_is_asked_for_is_inflated(path: Path, monkeypatch: pytest.MonkeyPatch):
    inflated: list[int] = []
    inflate = png._inflate
    monkeypatch.setattr(png, "_inflate", lambda data: inflated.append(len(data)) or inflate(data))
    packed = [chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"0" * 1000))] * 100
    path.write_bytes(png.with_texts(HEADER + b"".join(packed) + PIXELS, {png.PARAMETERS: "p", png.KEYWORD: "{}"}))
    assert png.read_workflow(path) == "{}"
    assert len(inflated) == 1


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_every_text_comes_back_equal(text: str):
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.png"
        path.write_bytes(png.with_texts(PICTURE, {png.KEYWORD: text}))
        assert png.read_text(path, png.KEYWORD) == text


@pytest.mark.parametrize("text", NASTY)
def test_a_character_that_no_picture_can_hold_costs_itself_alone(path: Path, text: str):
    path.write_bytes(png.with_texts(PICTURE, {png.KEYWORD: f"before {text} behind"}))
    found = png.read_workflow(path)
    assert found.startswith("before ")
    assert found.endswith(" behind")
    assert not set(found) - set(text) - set("before behind\ufffd🌈")


def test_texts_go_only_into_pictures():
    with pytest.raises(ValueError, match="not a PNG file"):
        png.with_texts(b"GIF89a", {})
