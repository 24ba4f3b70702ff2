"""Measures the exported starter model and draws its contact sheet: `python -m tools.starter_report --work DIR`."""

import argparse
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import torch

from tools.starter import parts_report, report, stages
from tools.starter.checkpoint import load_json, save_json
from tools.starter.concepts import CONCEPTS

SHEET = "samples"
MEASURES = report.PARTS | parts_report.PARTS
PARTS = (SHEET, *MEASURES)

# What has to be reached on held-out prompts: part, figure, least value, or the part's other figure that it must reach.
GATES: tuple[tuple[str, str, float | str], ...] = (
    ("single_objects", "noun_top1", 0.98),
    ("single_objects", "noun_top1_blind_to_colour", 0.94),
    ("single_objects", "background", 0.95),
    ("rich_backgrounds", "gradient", 0.95),
    ("rich_backgrounds", "scenery", 0.95),
    ("colour_words", "colour", 0.9),
    ("two_objects", "both_in_order", 0.95),
    ("numbers", "count", 0.95),
    ("few_steps", "noun_top1_lora_4", "noun_top1_base_4"),
    ("few_steps", "both_in_order_lora_4", "both_in_order_base_4"),
    ("edge_control", "edge_f1_ratio", 1.8),
    ("autoencoder", "psnr_trained_drawings", 27.5),
    ("autoencoder", "psnr_twemoji", 29.0),
)


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--work", type=Path, required=True, help="the training run's folder (artwork is rendered there)"
    )
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    parser.add_argument("--model", type=Path, default=Path("models/starter"))
    parser.add_argument("--concepts", type=int, default=len(CONCEPTS))
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="what to draw and measure")
    return parser.parse_args()


def main() -> None:
    """Writes samples.webp and figures.json beside the model; parts that are not asked for keep their figures."""
    arguments = parse_arguments()
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    run = stages.Run(arguments.work, torch.device(arguments.device), CONCEPTS[: arguments.concepts])
    stages.render_artwork(run)
    subject = report.Subject(arguments.model, run)
    path = arguments.model / "figures.json"
    figures: dict[str, dict[str, float]] = load_json(path) if path.is_file() else {}
    if SHEET in arguments.parts:
        report.sample_sheet(subject, arguments.model / f"{SHEET}.webp")
    for part in (part for part in arguments.parts if part in MEASURES):
        figures[part] = {name: round(value, 4) for name, value in MEASURES[part](subject).items()}
        print(part, *(f"  {name}: {value:g}" for name, value in figures[part].items()), sep="\n", flush=True)
        save_json(path, figures)
    for part, name, least in GATES:
        if part in figures:
            needed = figures[part][least] if isinstance(least, str) else least
            verdict = "passed" if figures[part][name] >= needed else "MISSED"
            print(f"{part}, {name} {figures[part][name]:g}, at least {needed:g}: {verdict}")


if __name__ == "__main__":
    main()
