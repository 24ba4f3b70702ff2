"""Everything in the program that reads what others wrote, with whole examples to damage."""

import io
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from nodegraph.node import NodeType
from tools.fuzz import bombs, databases, kept, models, mutations, sweeps, t5, weights
from tools.fuzz.mutations import Mutate

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "models" / "starter"

Refusals = tuple[type[Exception], ...]


@dataclass(frozen=True)
class Reader:
    """One way in.

    file: the name, in the case's folder, under which a case is written. examples: whole files. prepare: what must be
    there beside it. read: reads the case, given the folder; raises one of `refusals` for what it does not take.
    """

    name: str
    file: str
    examples: Callable[[], Sequence[bytes]]
    mutate: Mutate
    read: Callable[[Path], object]
    refusals: Refusals = (ValueError,)
    prepare: Callable[[Path], object] = lambda folder: None


# Documents ------------------------------------------------------------------------------------------------


@cache
def registry() -> dict[str, NodeType]:
    """The node types, as the engine knows them."""
    from nodegraph.formats.package import discover

    return dict(discover("nodes"))


def workflows() -> list[bytes]:
    """Those that ship, of every version, and small ones made to grow while they are planned."""
    files = [*sorted((ROOT / "workflows").rglob("*.json")), *sorted((ROOT / "tests/golden").glob("*.json"))]
    return [file.read_bytes() for file in files] + [json.dumps(bomb).encode() for bomb in bombs.all_bombs()]


def plan_workflow(folder: Path) -> object:
    """Opens a workflow and plans it, as `check` and the window do."""
    from nodegraph.formats import workflow
    from nodegraph.planning.plan import Planner

    graph = workflow.load(folder / "case.json")
    return [problem.message for problem in Planner(registry()).plan(graph).problems]


def paste(folder: Path) -> object:
    """What the clipboard holds, put into a document."""
    from nodegraph.editing import clipboard
    from nodegraph.graph import Graph

    return clipboard.paste(Graph(), (folder / "case.txt").read_text(encoding="utf-8", errors="replace"), (0.0, 0.0))


def assignments() -> list[bytes]:
    """Parameters as a command line sets them."""
    return [
        b"noise.seed=7",
        b"denoise.guidance_scale=4.5",
        b"positive.text=a cat",
        b"latent.width=128",
        b"denoise.steps=8",
    ]


def assign(folder: Path) -> object:
    """`--set`, on the starter's workflow."""
    from nodegraph.editing import assign
    from nodegraph.formats import workflow
    from nodegraph.group_type import document_types

    graph = workflow.load(ROOT / "workflows/text_to_image.json")
    text = (folder / "case.txt").read_text(encoding="utf-8", errors="replace")
    return assign.assign(graph, document_types(graph.groups, registry()), text)


# Pictures -------------------------------------------------------------------------------------------------


def png_files() -> list[bytes]:
    """PNG files of several kinds, one with a workflow inside."""
    from nodegraph.formats import png

    whole = [_picture(mode, "PNG") for mode in ("RGB", "RGBA", "L", "P", "1", "I;16")]
    flow = (ROOT / "workflows/text_to_image.json").read_text(encoding="utf-8")
    coloured = [_picture(mode, "PNG", icc_profile=_profile()) for mode in ("RGB", "LA", "I;16")]
    return [png.with_texts(data, {png.KEYWORD: flow, png.PARAMETERS: "a cat"}) for data in whole[:2]] + whole + coloured


def other_pictures() -> list[bytes]:
    """Pictures of other formats."""
    kinds = (("RGB", "JPEG"), ("CMYK", "JPEG"), ("RGB", "WEBP"), ("P", "GIF"), ("RGB", "TIFF"), ("RGB", "BMP"))
    profiled = [_picture("RGB", kind, icc_profile=_profile()) for kind in ("JPEG", "WEBP", "TIFF")]
    return [_picture(mode, kind) for mode, kind in kinds] + profiled


def _profile() -> bytes:
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _picture(mode: str, kind: str, **options: bytes) -> bytes:
    from PIL import Image

    gradient = Image.linear_gradient("L").resize((24, 16))
    image = gradient.convert("I").convert("I;16") if mode == "I;16" else gradient.convert(mode)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def read_png(folder: Path) -> object:
    """The texts in a picture, and the workflow they hold."""
    from nodegraph.formats import png, workflow

    png.read_text(folder / "case.png", png.PARAMETERS)
    return workflow.loads(png.read_workflow(folder / "case.png"))


def load_picture(folder: Path) -> object:
    """A picture as *Load image* reads it."""
    from nodes.backend import picture_files

    return picture_files.load(next(folder.glob("case.*")))


# Weights --------------------------------------------------------------------------------------------------


def adapters() -> list[bytes]:
    """LoRA files of both layouts."""
    return [(MODEL / "lora" / name).read_bytes() for name in ("ink.safetensors", "ink_kohya.safetensors")]


def read_lora(folder: Path) -> object:
    """A LoRA as its loader describes it for the starter model."""
    from nodes.backend import checkpoints

    parts = starter()
    return checkpoints.lora(str(folder / "case.safetensors"), parts.model, parts.text_encoder)


@cache
def starter() -> Any:
    """The descriptions of the starter's parts."""
    from nodes.backend import checkpoints

    return checkpoints.checkpoint(str(MODEL))


def read_control(folder: Path) -> object:
    """A ControlNet's file as its loader describes it."""
    from nodes.backend import checkpoints

    return checkpoints.controlnet(str(folder / "case.safetensors"))


def controls() -> list[bytes]:
    """A ControlNet with the names and shapes of the starter's, and no numbers."""
    from nodes.backend.headers import shapes

    header, end = {}, 0
    for name, shape in shapes(MODEL / "controlnet/diffusion_pytorch_model.safetensors").items():
        size = 1
        for side in shape:
            size *= side
        header[name] = {"dtype": "F8_E4M3", "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    return [len(text).to_bytes(8, "little") + text + bytes(end)]


def settings_of(part: str) -> Callable[[], list[bytes]]:
    """One settings file of the starter model."""
    return lambda: [(MODEL / part).read_bytes()]


def copy_model(folder: Path) -> None:
    """The starter model's parts, linked."""
    for part in ("unet", "vae", "text_encoder", "tokenizer", "scheduler"):
        (folder / "model" / part).mkdir(parents=True, exist_ok=True)
        for file in (MODEL / part).iterdir():
            target = folder / "model" / part / file.name
            if file.suffix == ".safetensors":
                target.symlink_to(file)
            else:
                shutil.copy(file, target)
    shutil.copy(MODEL / "model_index.json", folder / "model")


def read_model(folder: Path) -> object:
    """A checkpoint's folder as its loader describes it."""
    from nodes.backend import checkpoints

    return checkpoints.checkpoint(str(folder / "model"))


def read_words(folder: Path) -> object:
    """A checkpoint's tokenizer, at work on a prompt."""
    from nodes.backend import loading, prompt

    encoder = read_model(folder).text_encoder  # type: ignore[attr-defined]
    tokenizer = loading.tokenizer(encoder.encoders[0], starter_words())
    return prompt.chunks("a (red:1.2) cat on a blue background", tokenizer, 32)


@cache
def starter_words() -> int:
    """How many words the starter's text encoder knows."""
    return int(json.loads((MODEL / "text_encoder/config.json").read_text(encoding="utf-8"))["vocab_size"])


def results() -> list[bytes]:
    """A stored result."""
    import tempfile

    import torch

    from nodes.backend import storage
    from nodes.types import PIXELS, Image, Latent

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "result"
        storage.save((Image(torch.zeros(1, 8, 8, 3)), 3, "a", (1.5, None)), file)
        first = file.read_bytes()
        storage.save((Latent(torch.zeros(1, 4, 2, 2), PIXELS),), file)
        return [first, file.read_bytes()]


def read_result(folder: Path) -> object:
    """An entry of the cache."""
    from nodes.backend import storage

    return storage.load(folder / "case.result")


# Text -----------------------------------------------------------------------------------------------------


def prompts() -> list[bytes]:
    """Prompts with every mark."""
    return [b"a (red:1.3) [blue] ((cat)) BREAK on a \\(white\\) background", b"((((a:1.1):1.2):1.3):-1)", b""]


def read_prompt(folder: Path) -> object:
    """A prompt's pieces and weights."""
    from nodes.backend import prompt

    return prompt.parse((folder / "case.txt").read_text(encoding="utf-8", errors="replace"))


def numbers() -> list[bytes]:
    """Numbers as people type them."""
    return [b"7", b"1,5", b"3 * 64 + 8", b"-(2 - 0.5) / 3", b"1e-3", b"18446744073709551615"]


def read_number(folder: Path) -> object:
    """What was typed into a field for a number."""
    from nodegraph.numerals import read_number

    text = (folder / "case.txt").read_text(encoding="utf-8", errors="replace")
    return read_number(text, int), read_number(text, float)


READERS = (
    Reader("workflow", "case.json", workflows, mutations.of_json, plan_workflow),
    Reader("clipboard", "case.txt", workflows, mutations.of_json, paste),
    Reader("assignment", "case.txt", assignments, mutations.of_text, assign),
    Reader("workflow in a picture", "case.png", png_files, mutations.of_png, read_png),
    Reader("PNG picture", "case.png", png_files, mutations.of_png, load_picture),
    Reader("other pictures", "case.picture", other_pictures, mutations.of_bytes, load_picture),
    Reader("LoRA", "case.safetensors", adapters, mutations.of_safetensors, read_lora),
    Reader("ControlNet", "case.safetensors", controls, mutations.of_safetensors, read_control),
    *(
        Reader(f"{part}", f"model/{part}", settings_of(part), mutations.of_json, read_model, prepare=copy_model)
        for part in (
            "unet/config.json",
            "vae/config.json",
            "text_encoder/config.json",
            "scheduler/scheduler_config.json",
            "model_index.json",
        )
    ),
    *(
        Reader(f"{part}", f"model/{part}", settings_of(part), mutate, read_words, prepare=copy_model)
        for part, mutate in (
            ("tokenizer/vocab.json", mutations.of_json),
            ("tokenizer/merges.txt", mutations.of_text),
            ("tokenizer/tokenizer_config.json", mutations.of_json),
            ("tokenizer/special_tokens_map.json", mutations.of_json),
        )
    ),
    Reader("T5 tokenizer.json", "tokenizer.json", t5.json_files, mutations.of_json, t5.read),
    Reader("T5 spiece.model", "spiece.model", t5.spiece_files, mutations.of_bytes, t5.read),
    Reader("quantised weights", "case.safetensors", weights.comfy_files, mutations.of_safetensors, weights.read),
    Reader("GGUF", "case.gguf", weights.gguf_files, mutations.of_bytes, weights.read),
    Reader("stored result", "case.result", results, mutations.of_safetensors, read_result),
    Reader("prompt", "case.txt", prompts, mutations.of_text, read_prompt),
    Reader("number", "case.txt", numbers, mutations.of_text, read_number),
    Reader("journal", "case.journal", kept.journals, mutations.of_lines, kept.read_journal),
    Reader("settings", "case.json", kept.settings, mutations.of_json, kept.read_settings),
    Reader("queue", "case.json", kept.queues, mutations.of_json, kept.read_queue),
    Reader("night", "case.json", kept.nights, mutations.of_json, kept.read_night),
    Reader("list of pictures", "case.jsonl", kept.galleries, mutations.of_lines, kept.read_gallery),
    Reader(
        "other programs' folders", "extra_model_paths.yaml", models.paths_files, mutations.of_text, models.read_paths
    ),
    Reader("other programs' settings", "invokeai.yaml", models.paths_files, mutations.of_text, models.read_paths),
    Reader("beside a model", "case.civitai.info", models.sidecars, mutations.of_json, models.read_sidecar),
    Reader(
        "InvokeAI's database",
        "invokeai.db",
        databases.invoke_databases,
        databases.of_database,
        databases.read_invoke,
    ),
    Reader(
        "library's index",
        databases.INDEX,
        databases.indexes,
        databases.of_database,
        databases.read_library,
        prepare=databases.fill,
    ),
    Reader(
        "library's stars",
        "library/kept.sqlite",
        databases.stars,
        databases.of_database,
        databases.read_library,
        prepare=databases.fill,
    ),
    Reader("needs of a workflow", "case.json", models.needy, mutations.of_json, models.read_needs),
    Reader("address at a hub", "case.txt", models.addresses, mutations.of_text, models.read_address),
    Reader("values of a sweep", "case.txt", sweeps.axes, mutations.of_text, sweeps.read_axis),
    Reader("sweep in a workflow", "case.json", sweeps.swept, mutations.of_json, sweeps.read_sweep),
    Reader("ledger of a sweep", "sweep.jsonl", sweeps.ledgers, mutations.of_lines, sweeps.read_ledger),
    Reader("list of what sweeps made", "case.jsonl", sweeps.records, mutations.of_lines, sweeps.read_record),
)
