"""Training: what a model does not know yet, learnt from a folder of pictures."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from nodegraph.formats.files import write_atomic
from nodegraph.node import Context, File, Multiline, Range, node
from nodes.latent import SeedNumber
from nodes.output import FileName, check_name, output_folder
from nodes.types import Image, Model, TextEncoder, Vae

FOLDER = "loras"  # inside the output folder
SAVE_EVERY = 100  # steps: what is lost at most when the program is killed
MAX_SAMPLES = 4


class Trained(NamedTuple):
    path: Annotated[str, File((".safetensors",))]
    report: Image


@node(
    "training.lora",
    version=2,
    title="Train LoRA",
    aliases=("fine-tune", "DreamBooth", "teach", "style", "subject"),
    on_request=True,
)
def train_lora(
    ctx: Context,
    model: Model,
    text_encoder: TextEncoder,
    vae: Vae,
    folder: Annotated[str, File(folder=True)] = "",
    trigger: str = "",
    steps: Annotated[int, Range(1, 100_000)] = 400,
    learning_rate: Annotated[float, Range(0.000001, 0.1, step=0.0001)] = 0.0005,
    rank: Annotated[int, Range(1, 256)] = 8,
    layers: Literal["attention", "all"] = "attention",
    batch: Annotated[int, Range(1, 64)] = 4,
    size: Annotated[int, Range(0, 2048, step=8, unit="px", zero="as trained")] = 0,
    seed: SeedNumber = 0,
    sample_prompts: Annotated[str, Multiline(weighs=True)] = "",
    sample_every: Annotated[int, Range(1, 100_000)] = 100,
    filename: FileName = "lora",
) -> Trained:
    """Teach a model a style or a subject, from a folder of pictures with captions. Hu et al. 2021 (arXiv:2106.09685).

    folder: pictures; the caption of cat.png is the text in cat.txt, or else the file's name.
    trigger: a word put before every caption, which calls what was learnt afterwards.
    layers: attention keeps the file small; all reaches the convolutions too, for fine texture.
    size: side of the pictures that are shown to the model; 0 is what it was trained with.
    sample_prompts: up to four lines; they are drawn every sample_every steps, so that you see what it knows by then.
    path: the file, for Load LoRA. It lies in the folder loras of the output folder, named after what it was made from.
    report: the loss, and the latest samples.
    Stop whenever you like: the next run goes on from there, to the same file. So does a run with more steps.
    """
    from nodes.backend import checkpoints, pool, training, training_data
    from nodes.backend.training_run import Run

    check_name(filename)
    size = size or vae.native_size
    examples = training_data.read_folder(checkpoints.find(folder), trigger)
    settings = training.Settings(layers, rank, learning_rate, batch, seed)
    environment = pool.environment()
    digest = training_data.digest(examples, model, text_encoder, vae, settings, size, environment)
    place = output_folder(ctx.out_dir, FOLDER).resolve()
    state, path = place / f".{digest}.training", place / f"{filename}_{digest}_{steps}.safetensors"

    encoded = training_data.encode(examples, vae, text_encoder, size, lambda: ctx.progress(0, steps))
    prompts = [line for line in sample_prompts.splitlines() if line.strip()][:MAX_SAMPLES]
    samples = training_data.encode_prompts(prompts, text_encoder)
    run = Run(training.Training(model, settings, encoded), vae, samples, sample_every, ctx.progress)
    if state.is_file():
        run.training.restore(state, steps)
    run.until(steps, SAVE_EVERY, lambda data: write_atomic(state, data))
    write_atomic(path, run.training.lora())
    ctx.saved(str(path))
    return Trained(str(path), Image(run.report()))
