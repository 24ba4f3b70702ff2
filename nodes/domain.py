"""What the editor is told of diffusion; see `nodegraph.domain`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import nodes.backend.families as families
import nodes.backend.parts as parts
from nodegraph.domain import Branching, Decode, Domain, Kind, Likely, Naming, Remedy, Show, Slice, TourStep
from nodes import keep_tokenizer, kept_tokenizer, naming, sweep_sheet
from nodes.backend.process import timestep_at
from nodes.beginning import begin
from nodes.brought import file_becomes, text_becomes
from nodes.elsewhere import ELSEWHERE
from nodes.stock import STOCK
from nodes.types import (
    Conditioning,
    Control,
    ControlNet,
    History,
    Image,
    Latent,
    Mask,
    Model,
    Network,
    Sigmas,
    TextEncoder,
    Vae,
)

if TYPE_CHECKING:
    from nodes.backend.families.family import Family
    from nodes.backend.networks.architecture import Settings

Idle = Mapping[tuple[str, str], str]
"""By node type and input, why it has no meaning."""


def _place_of_step(values: Mapping[str, Any]) -> tuple[str, ...]:
    """ "σ 14.6 → 9.72", and the timesteps where the model is known."""
    sigma, after = values.get("sigma"), values.get("sigma_next")
    if not isinstance(sigma, int | float):
        return ()
    levels = [sigma, after] if isinstance(after, int | float) else [sigma]
    words = [f"σ {' → '.join(f'{level:.3g}' for level in levels)}"]
    model = values.get("model")
    if isinstance(model, Model):
        words.append(f"timestep {' → '.join(f'{timestep_at(model.process, level):.0f}' for level in levels)}")
    return tuple(words)


NOT_ASKED = {
    (type, "negative"): "The model was distilled to read the guidance scale as a number, and reads no negative prompt"
    for type in ("group:Denoise", "sampling.unet_step")
} | {("sampling.limit_guidance", ""): "The model was distilled to read the guidance scale, and is asked one prompt"}
NOT_ENCODED = {("control.apply", "vae"): "This ControlNet reads the picture itself, not a latent of it"}
COMPLETES_NOTHING = {("control.apply", "mask"): "This ControlNet completes no pictures"}
READS_ONE = {("control.apply", "inpaint_image"): "This ControlNet reads one picture"}
OF_ONE_MODE = {("control.apply", "mode"): "This ControlNet knows one kind of picture"}


def _kind(value: Any) -> Kind | None:
    """The family of a description, and what else the network of one says of itself."""
    match value:
        case Model():
            return _of_network(value.network, _idle_for_model)
        case ControlNet():
            return _of_network(value.network, _idle_for_controlnet)
        case Vae():
            return _of_family(value.network.family)
        case TextEncoder():
            return _of_family(value.family)
        case _:
            return None


def _idle_for_model(family: Family, own: Settings) -> Idle:
    return NOT_ASKED if family.is_told_guidance(own) else {}


def _idle_for_controlnet(family: Family, own: Settings) -> Idle:
    return {
        **({} if family.reads_latents(own) else NOT_ENCODED),
        **({} if family.num_hint_modes(own) else OF_ONE_MODE),
        **(COMPLETES_NOTHING if family.completes(own) == "never" else {}),
        **({} if family.completes(own) == "also" else READS_ONE),
    }


def _of_network(network: Network, idle: Callable[[Family, Settings], Idle]) -> Kind:
    """idle: what has no meaning besides, for a network of its settings."""
    kind = _of_family(network.family)
    try:
        more = idle(families.of(network.family), parts.settings(network))
    except (OSError, ValueError):  # the file is gone meanwhile; what is wrong is said at the loader
        return kind
    return replace(kind, idle={**kind.idle, **more})


@cache
def _of_family(name: str) -> Kind:
    family = families.of(name)
    suits = family.defaults
    guided = {"guidance_scale": suits.guidance_scale, "solver": suits.solver}
    of_nodes = {
        "schedule.noise_scheduler": {"steps": suits.steps, "schedule": suits.schedule},
        "group:Denoise": guided,
        "sampling.unet_step": guided,
    }
    values = {(type, name): value for type, of_node in of_nodes.items() for name, value in of_node.items()}
    return Kind(family.title, values, family.meaningless, family.name)


DENOISE = ("group:Denoise", "sampling.unet_step")
LIKELY = Likely(
    after={
        Model: (*DENOISE, "schedule.noise_scheduler", "adapter.lora"),
        TextEncoder: ("text.encode", "adapter.lora", "text.load_embedding"),
        Vae: ("vae.decode", "latent.empty", "vae.encode"),
        Conditioning: (*DENOISE, "control.apply", "conditioning.inpaint"),
        Latent: ("vae.decode", "latent.noise", "group:Denoise"),
        Image: ("output.preview", "output.save_image", "vae.encode", "text.encode_with_pictures"),
        Mask: ("latent.keep_outside", "conditioning.inpaint", "mask.invert"),
        ControlNet: ("control.apply",),
        Control: DENOISE,
        History: ("group:Denoise",),
        Sigmas: ("group:Denoise", "schedule.slice", "schedule.plot"),
    },
    before={
        Model: ("load.checkpoint", "adapter.lora", "load.denoiser"),
        TextEncoder: ("load.checkpoint", "adapter.lora", "load.text_encoders"),
        Vae: ("load.checkpoint", "load.vae"),
        Conditioning: ("text.encode",),
        Latent: ("latent.noise", "latent.empty", "vae.encode"),
        Image: ("vae.decode", "image.load"),
        Mask: ("image.load", "mask.rectangle"),
        ControlNet: ("control.load",),
        Control: ("control.apply",),
        Sigmas: ("schedule.noise_scheduler", "schedule.karras"),
    },
    sockets={
        ("latent.empty", "latent"): ("latent.noise", "schedule.noise_scheduler"),
        ("latent.noise", "latent"): ("latent.empty", "vae.encode"),
        ("vae.decode", "latent"): DENOISE,
        ("vae.encode", "image"): ("image.load",),
        ("control.apply", "image"): ("image.canny", "image.load"),
        ("image.load", "image"): ("vae.encode", "image.resize", "control.apply"),
    },
)

DOMAIN = Domain(
    branching=Branching(
        entry="latent",
        schedule="sigmas",
        history="history",
        settings=("guidance_scale", "solver"),
        slice=Slice("schedule.slice", schedule="sigmas", start="start", end="end", rounds="steps"),
        decode=Decode("vae.decode", takes="latent", by="vae", gives="image"),
        show=Show("output.preview", takes="image"),
    ),
    describe_step=_place_of_step,
    kind=_kind,
    usual=("steps", "guidance_scale"),
    likely=LIKELY,
    elsewhere=ELSEWHERE,
    naming=Naming(naming.PLACES, naming.example),
    file=file_becomes,
    text=text_becomes,
    begin=begin,
    stock=STOCK,
    sheet=sweep_sheet,
    remedies={
        "t5_tokenizer": Remedy(
            "T5's tokenizer",
            "T5, which reads prompts for Stable Diffusion 3 and Flux, needs a list of its words, which files of "
            "weights do not hold. The published folders have it: Stable Diffusion 3 in tokenizer_3, Flux in "
            "tokenizer_2. It serves all models alike and is kept once it was chosen or downloaded.",
            choose="Choose tokenizer.json…",
            patterns=("tokenizer.json", "spiece.model", "*.json", "*.model"),
            fetch="Download (2 MB)",
            kept=kept_tokenizer,
            keep=keep_tokenizer,
        )
    },
    acronyms={"vae": "VAE", "lora": "LoRA", "cfg": "CFG", "controlnet": "ControlNet"}
    | {family.name: family.title for family in families.FAMILIES},
    tour=(
        TourStep(
            "Noise becomes a picture",
            "This graph makes a picture out of noise, step by step. Each box does one part of the work, and wires "
            "carry what it makes to the next one. Drag the empty canvas with the middle button to look around; the "
            "wheel zooms.",
            "canvas",
        ),
        TourStep(
            "Say what you want",
            'Click the prompt and write one of your own, for example "a blue car on a beach". The model that '
            "comes with the program knows 220 things; its card in models/starter lists them.",
            "text",
            "text",
        ),
        TourStep(
            "Run it",
            "Press Run. The boxes light up one after the other, and the picture forms while you watch.",
            "run",
            "run",
        ),
        TourStep(
            "Turn a number",
            "Live is on now: drag the guidance scale or the steps sideways, and the picture follows your hand. "
            "Guidance says how closely it keeps to the prompt; more steps make it cleaner.",
            "number",
            "number",
            parameter="guidance_scale",
        ),
        TourStep(
            "Keep it",
            "Live shows pictures and saves none. Press Run once more: this one is saved.",
            "run",
            "run",
        ),
        TourStep(
            "That is your first own picture",
            "It lies in the Gallery with all its settings: any picture can give its graph back. File, New from "
            "template has more to try, and the learn workflows show every part of diffusion by itself.",
            "preview",
        ),
    ),
)
