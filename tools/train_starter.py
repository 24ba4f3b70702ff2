"""Trains the starter model from openly licensed artwork: `python -m tools.train_starter --work DIR`.

Run it again with the same work folder to continue a run that stopped.
"""

import argparse
import os
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

# Two threads on a busy machine mostly wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

from tools.starter import (
    control_stage,
    decoder_stage,
    denoiser_stage,
    export,
    few_step,
    gpu,
    pixel,
    stages,
    stock,
    style_lora,
    text_stage,
)
from tools.starter.concepts import CONCEPTS
from tools.starter.progress import Budget, end_of_first

# The stages in their order, and how much of the time each gets; those still to be done share all of it.
SHARES = {
    "autoencoder": 25,
    "decoder": 8,
    "text": 3,
    "denoiser": 36,
    "control": 7,
    "style": 3,
    "few_steps": 6,
    "pixel": 12,
}
BESIDE = ("control", "style", "few_steps", "pixel")  # no other stage needs them


def parse_arguments(words: list[str] | None = None) -> argparse.Namespace:
    """The command line, or other words."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for downloads, checkpoints and sample sheets")
    parser.add_argument("--output", type=Path, default=Path("models/starter"), help="where the model is exported")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    parser.add_argument("--concepts", type=int, default=len(CONCEPTS), help="learn only the first N concepts")
    parser.add_argument("--minutes", type=float, help="time for all stages that are not done (8 on a GPU, else 240)")
    parser.add_argument("--pictures", type=int, help="pictures that are drawn to learn from (196608 or 24000)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes that draw them")
    parser.add_argument("--adopt", type=Path, help="an exported model to go on from, for a new work folder")
    return parser.parse_args(words)


def run_of(arguments: argparse.Namespace) -> stages.Run:
    """The run that the command line asks for."""
    device = torch.device(arguments.device)
    sizes = stages.PROCESSOR if device.type == "cpu" else stages.GPU
    asked = {name: vars(arguments)[name] for name in ("minutes", "pictures") if vars(arguments)[name] is not None}
    return stages.Run(
        arguments.work, device, CONCEPTS[: arguments.concepts], replace(sizes, **asked), arguments.workers
    )


def stages_of(run: stages.Run, drawn: stock.Stock, model: Path) -> dict[str, Callable[[Budget], None]]:
    """What each stage does; model: the folder that the trained model is exported to."""

    def export_model(unet: UNet2DConditionModel) -> None:
        tokenizer, text_encoder = text_stage.load_text(run)
        vocabulary, vae = text_stage.load_vocabulary(run), stages.load_autoencoder(run)
        export.export(model, unet.cpu(), vae.cpu(), text_encoder.cpu(), tokenizer, vocabulary)

    return {
        "autoencoder": lambda budget: stages.train_autoencoder(run, drawn.pictures, drawn.others, budget),
        "decoder": lambda budget: decoder_stage.train_decoder(run, drawn.pictures, drawn.others, budget),
        "text": lambda budget: text_stage.train_text(run, drawn.captions, budget),
        "denoiser": lambda budget: denoiser_stage.train_denoiser(run, drawn, budget, export_model),
        "control": lambda budget: control_stage.train_control(run, drawn, model, budget),
        "style": lambda budget: style_lora.train_style(run, drawn, model, budget),
        "few_steps": lambda budget: few_step.train_few_step(run, drawn, model, budget),
        "pixel": lambda budget: pixel.train_pixel(run, drawn, model, budget),
    }


def train(run: stages.Run, model: Path) -> list[str]:
    """Runs the stages that are not done in order; the names of those beside the base that failed."""
    todo = {stage: share for stage, share in SHARES.items() if not run.file(f"{stage}.done").is_file()}
    drawn = stock.open_stock(run, todo)  # forks: nothing before this may use CUDA
    gpu.hurry(run.device)
    work, end = stages_of(run, drawn, model), time.monotonic() + 60 * run.sizes.minutes
    failed: list[str] = []
    for number, stage in enumerate(todo):
        try:
            work[stage](Budget(ends_at=end_of_first(list(todo.values())[number:], time.monotonic(), end)))
        except Exception:
            if stage not in BESIDE:
                raise
            traceback.print_exc()
            failed.append(stage)
        else:
            run.file(f"{stage}.done").touch()
    return failed


def main() -> None:
    """Trains what is not trained yet; a part beside the base that fails does not cost the others their time."""
    arguments = parse_arguments()
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    run = run_of(arguments)
    run.work.mkdir(parents=True, exist_ok=True)
    if arguments.adopt is not None and not run.file("vae.safetensors").is_file():
        export.adopt(arguments.adopt, run.work, text_stage.load_vocabulary(run))
    stages.render_artwork(run)
    failed = train(run, arguments.output)
    if failed:
        raise SystemExit(f"These parts failed, see above; run this again to try them again: {', '.join(failed)}")


if __name__ == "__main__":
    main()
