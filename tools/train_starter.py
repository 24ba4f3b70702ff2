"""Trains the starter model from openly licensed artwork: `python -m tools.train_starter --work DIR`.

Run it again with the same work folder to continue a run that stopped.
"""

import argparse
import os
from pathlib import Path

# One thread computes the same bits everywhere, and two threads on a busy machine mostly wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import torch
from diffusers import UNet2DConditionModel

from tools.starter import control_stage, denoiser_stage, export, few_step, pixel, stages, style_lora, text_stage
from tools.starter.concepts import CONCEPTS
from tools.starter.progress import Budget

STAGES = ("artwork", "autoencoder", "text", "latents", "denoiser", "control", "style", "few_steps", "pixel")
PART_MINUTES = {"control": 20, "style": 6, "few_steps": 12, "pixel": 30}


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for downloads, checkpoints and sample sheets")
    parser.add_argument("--output", type=Path, default=Path("models/starter"), help="where the model is exported")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    parser.add_argument("--concepts", type=int, default=len(CONCEPTS), help="learn only the first N concepts")
    parser.add_argument("--minutes", type=float, default=85, help="time for the denoiser, over all runs")
    parser.add_argument("--autoencoder-minutes", type=float, default=12, help="time for the autoencoder, over all runs")
    parser.add_argument("--batch", type=int, default=denoiser_stage.DENOISER_BATCH, help="pictures per denoiser step")
    parser.add_argument("--adopt", type=Path, help="an exported model to go on from, for a new work folder")
    for part, minutes in PART_MINUTES.items():
        option = f"--{part.replace('_', '-')}-minutes"
        parser.add_argument(option, type=float, default=minutes, help="time for this part, over all runs")
    parser.add_argument("--until", choices=STAGES, default=STAGES[-1], help="last stage to run")
    return parser.parse_args()


def main() -> None:
    """Runs the stages in order; one whose files exist is not repeated, one that was stopped goes on."""
    arguments = parse_arguments()
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    model = arguments.output
    run = stages.Run(arguments.work, torch.device(arguments.device), CONCEPTS[: arguments.concepts])
    arguments.work.mkdir(parents=True, exist_ok=True)
    if arguments.adopt is not None and not run.file("vae.safetensors").is_file():
        export.adopt(arguments.adopt, arguments.work, text_stage.load_vocabulary(run))

    def export_model(unet: UNet2DConditionModel) -> None:
        tokenizer, text_encoder = text_stage.load_text(run)
        vocabulary = text_stage.load_vocabulary(run)
        vae = stages.load_autoencoder(run)
        export.export(model, unet.cpu(), vae.cpu(), text_encoder.cpu(), tokenizer, vocabulary)

    work = {
        "artwork": lambda: stages.render_artwork(run),
        "autoencoder": lambda: stages.train_autoencoder(run, Budget(minutes=arguments.autoencoder_minutes)),
        "text": lambda: text_stage.train_text(run),
        "latents": lambda: denoiser_stage.encode_pictures(run),
        "denoiser": lambda: denoiser_stage.train_denoiser(
            run, Budget(minutes=arguments.minutes), arguments.batch, export_model
        ),
        "control": lambda: control_stage.train_control(run, model, Budget(minutes=arguments.control_minutes)),
        "style": lambda: style_lora.train_style(run, model, Budget(minutes=arguments.style_minutes)),
        "few_steps": lambda: few_step.train_few_step(run, model, Budget(minutes=arguments.few_steps_minutes)),
        "pixel": lambda: pixel.train_pixel(run, model, Budget(minutes=arguments.pixel_minutes)),
    }
    for stage in STAGES[: STAGES.index(arguments.until) + 1]:
        work[stage]()


if __name__ == "__main__":
    main()
