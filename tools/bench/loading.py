"""What checkpoints of several gigabytes cost before the first denoising step: `python -m tools.bench.loading`.

Files of the original layout with random weights, Stable Diffusion 1.5 in float32 and XL in half precision, are written
to a temporary folder. A process of its own loads each, encodes a prompt, and of XL makes a step at 512 x 512 beside the
stock U-Net of diffusers. Private memory is read from /proc/self/smaps_rollup, so this runs on Linux only.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Private megabytes of others after loading a file like this, measured on a 2-core machine on 21 November 2026 by
# scripts that are not kept: ComfyUI 0.3.64's checkpoint loader; diffusers 0.42.1's from_single_file.
RIVALS = {"ComfyUI": 4_126, "diffusers, one file": 325}

BLOCK = 1 << 26  # bytes written at a time
STEPS = 3  # each way, in turns, of which the fastest counts
WIDTHS = {"F32": 4, "F16": 2}
FILES = {"sd1": "F32", "sdxl": "F16"}
"""By family, the precision of its file."""


def shapes(family_name: str) -> dict[str, tuple[int, ...]]:
    """The tensors of a whole checkpoint by their original names."""
    import torch

    from nodes.backend import families, loading
    from nodes.backend.fields import check_fields
    from tests.tiny_checkpoints import clip_to_open_clip, unet_to_ldm, vae_to_ldm

    family = families.of(family_name)

    def network(role: str) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Its tensors by its own names, and its settings."""
        architecture = family.roles[role].architecture
        settings = check_fields(Path("shipped"), family.default_settings(role), architecture.schema)
        with torch.device("meta"):
            return loading.build(architecture, settings).state_dict(), settings

    stored = {"unet": unet_to_ldm(*network("unet")), "vae": vae_to_ldm(*network("vae"))}
    stored["text_encoder"] = {f"text_model.{name}": tensor for name, tensor in network("text_encoder")[0].items()}
    if "text_encoder_2" in family.roles:
        stored["text_encoder_2"] = clip_to_open_clip(network("text_encoder_2")[0])
    return {
        f"{family.roles[role].prefixes[0]}{name}": tuple(tensor.shape)
        for role, tensors in stored.items()
        for name, tensor in tensors.items()
    }


def write_checkpoint(path: Path, family: str) -> int:
    """A file of small random numbers. Returns its size in bytes."""
    import numpy as np

    kind = FILES[family]
    header: dict[str, Any] = {}
    end = 0
    for name, shape in shapes(family).items():
        begin, end = end, end + WIDTHS[kind] * math.prod(shape)
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # the format aligns the data
    numbers = np.random.default_rng(0).standard_normal(BLOCK // 4, dtype=np.float32) * 0.02
    block = numbers.astype(np.float16 if kind == "F16" else np.float32).tobytes()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for begin in range(0, end, len(block)):
            file.write(block[: min(len(block), end - begin)])
    return path.stat().st_size


def private_megabytes() -> float:
    """Memory that no file backs. Pages of the checkpoint are not in it: the system may drop and read them again."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("Anonymous:"))


def measure(path: str, family: str) -> dict[str, Any]:
    """Load the checkpoint and encode a prompt, in this process; of XL, make a step as well."""
    from nodes.backend import checkpoints, pool
    from nodes.text import prompt

    imported = private_megabytes()
    start = time.perf_counter()
    parts = checkpoints.checkpoint(path)
    described = time.perf_counter() - start
    pool.network(parts.model.network)
    pool.network(parts.vae.network)
    for encoder in parts.text_encoder.encoders:
        pool.reader(encoder)
    loaded = time.perf_counter() - start
    read = prompt(parts.text_encoder, "a photo of a cat")
    found = {
        "after imports MB": imported,
        "described s": described,
        "load s": loaded,
        "private MB before the first step": private_megabytes(),
    }
    return found | (_steps(parts, read) if family == "sdxl" else {})


def _steps(parts: Any, read: Any) -> dict[str, Any]:
    """Seconds of a guided step at 512 x 512, ours and that of the stock U-Net in float32, in turns."""
    import torch

    from nodes.backend import loading, noise, pool
    from nodes.backend import parts as networks
    from nodes.backend.denoise import denoiser

    part = networks.part(parts.model.network)
    with torch.device("meta"):
        stock: Any = loading.build(part.spec.architecture, part.settings())
    x = noise.draw((1, 4, 64, 64), 0, 0) * 10.0
    ours = denoiser(parts.model, read, read, 5.0, None, lambda done, total: None)
    ours(x, 10.0)  # widens the weights, which the stock network then shares: two copies would fill the memory
    stock.load_state_dict(pool.network(parts.model.network).state_dict(), assign=True)
    stock.eval()
    numbers = torch.tensor([[512.0, 512, 0, 0, 512, 512]] * 2)
    added = {"text_embeds": read.pooled.repeat(2, 1), "time_ids": numbers}

    def theirs() -> Any:
        with torch.inference_mode():
            both = torch.cat([x, x]) / math.sqrt(101)
            states = read.embeds.repeat(2, 1, 1)
            return stock(both, torch.tensor(900.0), encoder_hidden_states=states, added_cond_kwargs=added).sample

    step, stock_step = _in_turns(lambda: ours(x, 10.0), theirs)
    return {"step s": step, "stock step s": stock_step}


def _in_turns(*runs: Callable[[], Any]) -> list[float]:
    """The least seconds of each."""
    times: list[list[float]] = [[] for _ in runs]
    for _ in range(STEPS):
        for run, taken in zip(runs, times, strict=True):
            start = time.perf_counter()
            run()
            taken.append(time.perf_counter() - start)
    return list(map(min, times))


def rows() -> Iterator[dict[str, Any]]:
    """Ours, and what others need."""
    for family in FILES:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.safetensors"
            size = write_checkpoint(path, family)
            command = [sys.executable, "-m", "tools.bench.loading", str(path), family]
            ours = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        yield {"program": f"Denoodle, {family}", "file GB": size / 1e9, **ours}
    for program, megabytes in RIVALS.items():
        yield {"program": f"{program}, sd1", "file GB": 4.26, "private MB before the first step": megabytes}


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(measure(*sys.argv[1:])))
        return
    for row in rows():
        print(", ".join(f"{name}: {v if isinstance(v, str) else format(v, '.4g')}" for name, v in row.items()))


if __name__ == "__main__":
    main()
