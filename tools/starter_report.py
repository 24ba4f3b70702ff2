"""Measures the exported starter model and draws its contact sheet: `python -m tools.starter_report --work DIR`."""

import argparse
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import torch

from tools.starter import report, stages
from tools.starter.checkpoint import save_json
from tools.starter.concepts import CONCEPTS

TOP1_GATE = 0.6


def main() -> None:
    """Writes samples.png and figures.json beside the model, all pictures into the work folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--work", type=Path, required=True, help="the training run's folder (artwork is rendered there)"
    )
    parser.add_argument("--model", type=Path, default=Path("models/starter"))
    parser.add_argument("--concepts", type=int, default=len(CONCEPTS))
    arguments = parser.parse_args()
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    run = stages.Run(arguments.work, torch.device("cpu"), CONCEPTS[: arguments.concepts])
    stages.render_artwork(run)
    pipeline = report.load_pipeline(arguments.model)
    report.contact_sheet(pipeline, arguments.model / "samples.png")
    figures = report.figures(pipeline, run, run.file("report.png"))
    rounded = {part: {name: round(value, 4) for name, value in values.items()} for part, values in figures.items()}
    save_json(arguments.model / "figures.json", rounded)
    for part, values in rounded.items():
        print(part, *(f"  {name}: {value}" for name, value in values.items()), sep="\n")
    verdict = "passed" if figures["model"]["noun_top1"] >= TOP1_GATE else "MISSED"
    print(f"gate: noun top-1 of at least {TOP1_GATE:.0%}: {verdict}")


if __name__ == "__main__":
    main()
