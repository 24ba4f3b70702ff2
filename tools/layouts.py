"""What quantised files cost: `python -m tools.layouts` writes its table into docs/quantised.md.

The denoisers of the starter model and of small random ones are written in every layout, and a picture is made with
each, beside that of the same weights in bfloat16. With --choice the files stay in bfloat16, and the loader is told what
to keep of them. With --memory a file of as many int8 weights as one wants, a hole
behind its table, is loaded and run once by a process of its own on the CPU; --billions 9 takes ten gigabytes of memory
that the system may take back, and two minutes. Numbers of memory are Linux'.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from nodegraph.formats import workflow
from nodegraph.formats.package import discover
from nodegraph.graph import set_param
from nodegraph.planning.plan import plan
from nodegraph.program import FOLDER
from nodegraph.running.cache import Cache
from nodegraph.running.executor import execute
from nodegraph.running.messages import Event, Failed
from nodes.backend import families, narrow, pool, weight_files
from nodes.backend.fields import check_fields
from nodes.types import AS_STORED, Storage
from tests import quantised_files, wide_models
from tests.quantised_files import COMFY, GGUF
from tools import page
from tools.starter.checkpoint import load_tensors, save_tensors

PAGE = FOLDER / "docs" / "quantised.md"
PROMPTS = ("a fox in a meadow", "two blue cars on a beach", "a cat and a pizza on a purple and pink gradient")
PLAIN = "bfloat16"


class Subject(NamedTuple):
    """A model whose denoiser is quantised. file: that of the denoiser in the model's folder. side: of pictures."""

    title: str
    folder: Path
    file: Path
    side: int
    steps: int


class Row(NamedTuple):
    """One layout. bits: of a packed weight. error: of packed weights, ||theirs - ours|| / ||ours||.

    pictures: by subject, the share of the denoiser's weights that are packed, and the mean difference of pictures from
    those of bfloat16, of 255 levels.
    """

    layout: str
    bits: float
    error: float
    pictures: dict[str, tuple[float, float]]


# Pictures -----------------------------------------------------------------------------------------------------


def subjects(place: Path) -> list[Subject]:
    starter, small, flux2 = (place / name for name in ("starter", "qwenimage", "flux2"))
    shutil.copytree(FOLDER / "models" / "starter", starter)
    wide_models.build_wide_qwen(small)
    wide_models.build_wide_flux2(flux2)
    stem = "diffusion_pytorch_model.safetensors"
    return [
        Subject("the starter model", starter, starter / "unet" / stem, 128, 20),
        Subject("a small random Qwen-Image", small, small / "transformer" / stem, 64, 8),
        Subject("a small random Flux.2 dev", flux2, flux2 / "transformer" / stem, 64, 8),
    ]


def rows(subjects: Iterable[Subject], layouts: Iterable[str] = (*COMFY, *GGUF)) -> list[Row]:
    found = {subject.title: _Measured(subject) for subject in subjects}
    return [_row(layout, found) for layout in layouts]


def _row(layout: str, found: dict[str, _Measured]) -> Row:
    pictures: dict[str, tuple[float, float]] = {}
    nbytes, numbers, off, length = 0, 0, 0.0, 0.0
    for title, measured in found.items():
        measured.write(layout)
        packed = weight_files.packed(measured.subject.file)
        ours = quantised_files.dequantised(measured.subject.file)
        for name, weight in packed.items():
            nbytes, numbers = nbytes + weight.nbytes, numbers + prod(weight.shape)
            off += float((ours[name] - measured.tensors[name].float()).norm() ** 2)
            length += float(measured.tensors[name].float().norm() ** 2)
        share = sum(prod(weight.shape) for weight in packed.values()) / sum(t.numel() for t in ours.values())
        pictures[title] = share, measured.difference()
        print(layout, title, f"{share:.0%} packed, {pictures[title][1]:.2f} levels", flush=True)
    return Row(layout, 8 * nbytes / numbers, (off / length) ** 0.5, pictures)


class _Measured:
    """A subject, and its pictures in bfloat16."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.tensors = load_tensors(subject.file)
        self.write(PLAIN)
        self.plain = self.pictures()

    def write(self, layout: str) -> None:
        """Exchange the file of the denoiser."""
        path = self.subject.file
        path.unlink()
        if layout == PLAIN:
            save_tensors(path, {name: t.to(torch.bfloat16) for name, t in self.tensors.items()})
        else:
            quantised_files.write(path, self.tensors, layout)
        pool.free()

    def pictures(self, weights: Storage = AS_STORED) -> Tensor:
        return torch.cat([_picture(self.subject, prompt, weights) for prompt in PROMPTS])

    def difference(self, weights: Storage = AS_STORED) -> float:
        return float((self.pictures(weights) - self.plain).abs().mean() * 255)


def _picture(subject: Subject, prompt: str, weights: Storage) -> Tensor:
    """By the workflow that ships."""
    graph = workflow.load(FOLDER / "workflows" / "text_to_image.json")
    for node, name, value in (
        ("checkpoint", "path", str(subject.folder)),
        ("checkpoint", "weights", weights),
        ("positive", "text", prompt),
        ("scheduler", "steps", subject.steps),
        ("latent", "width", subject.side),
        ("latent", "height", subject.side),
    ):
        graph = set_param(graph, node, name, value)
    planned, results = plan(graph, discover("nodes"), ["decode"]), Cache(1 << 30)
    if planned.problems:
        raise RuntimeError(f"{planned.problems[0].node}: {planned.problems[0].message}")

    def emit(event: Event) -> None:
        if isinstance(event, Failed):
            raise RuntimeError(f"{event.node}: {event.message}\n{event.traceback}")

    execute(planned, ["decode"], results, emit)
    values: Any = results.get(planned.keys["decode"])
    return values[0].pixels


def table(rows: Iterable[Row]) -> str:
    rows = list(rows)
    titles = list(rows[0].pictures)
    lines = [f"| layout | bits a weight | weights | {' | '.join(titles)} |", f"|---|---|---|{'---|' * len(titles)}"]
    for row in rows:
        cells = " | ".join(f"{levels:.2f} ({share:.0%})" for share, levels in row.pictures.values())
        lines.append(f"| {row.layout} | {row.bits:.2f} | {row.error:.2%} | {cells} |")
    return "\n".join(lines)


# By choice ----------------------------------------------------------------------------------------------------

PUBLISHED = ("sdxl", "sd3", "flux", "flux2", "zimage", "qwenimage", "qwenimage21", "krea2")
"""The families of whose published models the sizes are told."""

SMALL = 2e9
"""Bytes: text encoders below are left out."""


def chosen(subjects: Iterable[Subject]) -> str:
    """A table of the choices: the mean difference of pictures from those of bfloat16, and the share that is packed."""
    found = [_Measured(subject) for subject in subjects]
    lines = [f"| weights | {' | '.join(one.subject.title for one in found)} |", f"|---|{'---|' * len(found)}"]
    for choice in narrow.KINDS:
        cells = [f"{one.difference(choice):.2f} ({_share(one.tensors):.0%})" for one in found]
        lines.append(f"| {choice} | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    return "\n".join(lines)


def _share(tensors: dict[str, Tensor]) -> float:
    packed = sum(tensor.numel() for name, tensor in tensors.items() if narrow.narrows(name, tuple(tensor.shape)))
    return packed / sum(tensor.numel() for tensor in tensors.values())


def sizes() -> str:
    """A table of what published networks take, by their shapes alone."""
    lines = ["| network | in 16 bits | in eight by choice |", "|---|---|---|"]
    for name in PUBLISHED:
        family = families.of(name)
        for role in (family.denoiser, *family.encoders):
            architecture = family.roles[role].architecture
            settings = check_fields(Path(name), family.default_settings(role), architecture.schema)
            shapes = architecture.shapes(settings)
            whole = 2 * sum(map(prod, shapes.values()))
            less = sum(narrow.nbytes(s) if narrow.narrows(tensor, s) else 2 * prod(s) for tensor, s in shapes.items())
            title = f"{family.title}, {family.roles[role].title}"
            if role == family.denoiser or whole > SMALL:
                lines.append(f"| {title} | {whole / 1e9:.1f} GB | {less / 1e9:.1f} GB |")
    return "\n".join(lines)


# Memory -------------------------------------------------------------------------------------------------------


class Peak(NamedTuple):
    """Bytes: of the file; of the process before it was read; at the most after that, mapped pages included."""

    file: int
    before: int
    most: int

    @property
    def share(self) -> float:
        return (self.most - self.before) / self.file

    def __str__(self) -> str:
        added = self.most - self.before
        return f"a file of {self.file / 1e9:.2f} GB takes {added / 1e9:.2f} GB, {self.share:.2f} of it"


def write_hole(path: Path, weights: float) -> Path:
    """About so many int8 weights, all 0, as a Z-Image of its own width and more or fewer layers."""
    family = families.of("zimage")
    architecture = family.roles[family.denoiser].architecture

    def tensors(layers: int) -> dict[str, tuple[int, ...]]:
        given = {**family.default_settings(family.denoiser), "n_layers": layers, "n_refiner_layers": 1}
        return dict(architecture.shapes(check_fields(path, given, architecture.schema)))

    each = sum(map(prod, tensors(2).values())) - sum(map(prod, tensors(1).values()))
    found = tensors(max(1, round((weights - sum(map(prod, tensors(1).values()))) / each)))
    header: dict[str, Any] = {}
    end = 0

    def put(name: str, dtype: str, shape: tuple[int, ...], size: int) -> None:
        nonlocal end
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [end, end + size * prod(shape)]}
        end += size * prod(shape)

    packed = {name for name, shape in found.items() if len(shape) == 2 and name.endswith(".weight")}
    for name, shape in sorted(found.items(), key=lambda item: item[0] in packed):  # wide numbers first, as is usual
        if name in packed:
            put(f"{name}_scale", "F32", (shape[0], 1), 4)
        else:
            put(name, "BF16", shape, 2)
    for name in sorted(packed):
        put(name, "I8", found[name], 1)
    layers = {name.removesuffix(".weight"): {"format": "int8_tensorwise"} for name in packed}
    header["__metadata__"] = {"_quantization_metadata": json.dumps({"format_version": "1.0", "layers": layers})}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)
    return path


def peak(path: Path) -> Peak:
    """What loading such a file and calling its network once takes, in a process of its own."""
    command = [sys.executable, "-m", "tools.layouts", "--child", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=FOLDER)
    return Peak(path.stat().st_size, *map(int, done.stdout.split()))


def _child(path: Path) -> None:
    from nodes.backend import checkpoints

    model = checkpoints.denoiser(str(path))
    Path("/proc/self/clear_refs").write_text("5")  # the most so far is forgotten
    before = _status("VmRSS")
    net = pool.network(model.network)
    width = net.config.cap_feat_dim
    with torch.inference_mode():
        net([torch.zeros(16, 1, 8, 8)], torch.tensor([0.5]), [torch.zeros(32, width)])
    print(before, _status("VmHWM"))


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(f"{name}:"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--choice", action="store_true", help="measure what loaders are told, not files")
    parser.add_argument("--memory", action="store_true", help="measure memory, not pictures")
    parser.add_argument("--billions", type=float, default=1.0, help="of weights, for --memory")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        _child(asked.child)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        if asked.memory:
            found = str(peak(write_hole(Path(folder) / "hole.safetensors", asked.billions * 1e9)))
            print(found)
            page.put(PAGE, "layouts ARGS=--memory", f"{found[0].upper()}{found[1:]}.")
        elif asked.choice:
            page.put(PAGE, "layouts ARGS=--choice", f"{chosen(subjects(Path(folder)))}\n\n{sizes()}")
        else:
            page.put(PAGE, "layouts", table(rows(subjects(Path(folder)))))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
