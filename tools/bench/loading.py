"""What a 4 GB checkpoint costs before the first denoising step: `python -m tools.bench.loading`.

A Stable Diffusion 1.5 file of the original layout, float32, with random weights, is written to a temporary folder and
loaded by a process of its own, which encodes a prompt as well. Its private memory is read from
/proc/self/smaps_rollup, so this runs on Linux only.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Private megabytes of others after loading a file like this, measured on a 2-core machine on 21 November 2026 by
# scripts that are not kept: ComfyUI 0.3.64's checkpoint loader; diffusers 0.42.1's from_single_file.
RIVALS = {"ComfyUI": 4_126, "diffusers, one file": 325}

BLOCK = 1 << 26  # bytes written at a time


def shapes() -> dict[str, tuple[int, ...]]:
    """The tensors of a Stable Diffusion 1.5 file by their original names."""
    import torch

    from nodes.backend import families, loading
    from nodes.backend.fields import check_fields
    from tests.tiny_checkpoints import unet_to_ldm, vae_to_ldm

    def network(role: str) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Its tensors by its own names, and its settings."""
        architecture = family.roles[role].architecture
        settings = check_fields(Path("shipped"), family.default_settings(role), architecture.schema)
        with torch.device("meta"):
            return loading.build(architecture, settings).state_dict(), settings

    family = families.of("sd1")
    text = {f"text_model.{name}": tensor for name, tensor in network("text_encoder")[0].items()}
    stored = {"unet": unet_to_ldm(*network("unet")), "vae": vae_to_ldm(*network("vae")), "text_encoder": text}
    return {
        f"{family.roles[role].prefixes[0]}{name}": tuple(tensor.shape)
        for role, tensors in stored.items()
        for name, tensor in tensors.items()
    }


def write_checkpoint(path: Path) -> int:
    """A float32 file of small random numbers. Returns its size in bytes."""
    import math

    import numpy as np

    header: dict[str, Any] = {}
    end = 0
    for name, shape in shapes().items():
        begin, end = end, end + 4 * math.prod(shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # the format aligns the data
    block = (np.random.default_rng(0).standard_normal(BLOCK // 4, dtype=np.float32) * 0.02).tobytes()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for begin in range(0, end, BLOCK):
            file.write(block[: min(BLOCK, end - begin)])
    return path.stat().st_size


def private_megabytes() -> float:
    """Memory that no file backs. Pages of the checkpoint are not in it: the system may drop and read them again."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("Anonymous:"))


def measure(path: str) -> dict[str, Any]:
    """Load the checkpoint and encode a prompt, in this process."""
    from nodes.backend import checkpoints, pool
    from nodes.text import prompt

    imported = private_megabytes()
    start = time.perf_counter()
    parts = checkpoints.checkpoint(path)
    pool.network(parts.model.network)
    pool.network(parts.vae.network)
    for encoder in parts.text_encoder.encoders:
        pool.reader(encoder)
    loaded = time.perf_counter() - start
    prompt(parts.text_encoder, "a photo of a cat")
    return {"after imports MB": imported, "load s": loaded, "private MB before the first step": private_megabytes()}


def rows() -> Iterator[dict[str, Any]]:
    """Ours, and what others need."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        size = write_checkpoint(path)
        command = [sys.executable, "-m", "tools.bench.loading", str(path)]
        ours = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    yield {"program": "Denoodle", "file GB": size / 1e9, **ours}
    for program, megabytes in RIVALS.items():
        yield {"program": program, "file GB": 4.26, "private MB before the first step": megabytes}


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1])))
        return
    for row in rows():
        print(", ".join(f"{name}: {v if isinstance(v, str) else format(v, '.4g')}" for name, v in row.items()))


if __name__ == "__main__":
    main()
