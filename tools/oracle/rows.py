"""The rows of the table: the families, and what diffusers calls their pipelines. A new family is one row."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from nodes.backend.families import qwenimage, qwenimage21
from tests import tiny_models, tiny_modern, tiny_variants
from tests.nodes.families import qwen21_stock, qwen_stock
from tests.tiny_checkpoints import write_single_file
from tools.oracle.asking import NEGATIVE, SIDE, TASKS, Ask, Kind


def _as_it_is(pipeline: Any, latent: Tensor, width: int, height: int) -> Tensor:
    return latent


def _same(scale: float) -> float:
    return scale


def _unpacked(pipeline: Any, latent: Tensor, width: int, height: int) -> Tensor:
    """Flux's pipelines return tokens of 2 x 2 latent pixels: [batch, tokens, channels * 4]."""
    squares = latent.reshape(len(latent), height // 16, width // 16, -1, 2, 2)
    return squares.permute(0, 3, 1, 4, 2, 5).reshape(len(latent), -1, height // 8, width // 8)


def _normalised(pipeline: Any, latent: Tensor, width: int, height: int) -> Tensor:
    """Klein's pipelines return what the VAE decodes: [batch, 32, height / 8, width / 8]."""
    vae = pipeline.vae
    squares = torch.nn.functional.pixel_unshuffle(latent, 2)
    deviation = (vae.bn.running_var + vae.config.batch_norm_eps).sqrt()
    return (squares - vae.bn.running_mean[:, None, None]) / deviation[:, None, None]


def _tokens(pipeline: Any, latent: Tensor, width: int, height: int) -> Tensor:
    """Those of Flux.2 dev and Qwen-Image 2.1 return tokens of 16 x 16 pixels: [batch, tokens, channels]."""
    return latent.transpose(1, 2).reshape(len(latent), -1, height // 16, width // 16)


@dataclass(frozen=True)
class Row:
    """name: of its files. build: its model as a folder of the diffusers layout. pipelines: diffusers' classes.

    always: what its tasks are that need not be of another kind. scale: our guidance scale. their_scale: what the stock
    pipelines are told for it. without: arguments that they have not. flow: whether they keep the scheduler that they
    come with. why: tasks without meaning, with the reason. refiner: of the second half of the steps. adapted: what LoRA
    files are made with. controlnet, completing: make a ControlNet for a folder's model, the latter one that completes
    pictures. completes_beside: whether it follows another picture than the one that it completes. hint: the argument of
    the pictures for a ControlNet. unpacked: of (pipeline, latent, width, height), the latent that a pipeline returns,
    as others have it. negative: the negative prompt. text_from: where prompts are read, when the model cannot. side: of
    its pictures, in pixels. single: writes a folder as a file. embedded: the encoders that can be taught words, as
    files call them. alone_in_file: whether single files hold the denoiser alone, as published ones do. scale_name: what
    their pipelines call the guidance scale. built: makes their pipeline of a folder, where the class cannot.
    sees_pictures: its text encoder does. within: what both sides are run in. works_from_masked: whether inpainting
    shows the whole picture to the model, as one to work from.
    """

    name: str
    title: str
    build: Callable[[Path], Path]
    pipelines: Mapping[Kind, str]
    always: Kind = "text"
    scale: float = 5.0
    their_scale: Callable[[float], float] = _same
    without: frozenset[str] = frozenset()
    flow: bool = False
    why: Mapping[str, str] = field(default_factory=dict[str, str])
    refiner: Row | None = None
    adapted: Mapping[str, Any] = field(default_factory=dict[str, Any])
    controlnet: Callable[[Path, Path], Path] = tiny_variants.controlnet
    completing: Callable[[Path, Path], Path] = tiny_variants.controlnet
    completes_beside: bool = False
    controlnet_class: str = "ControlNetModel"
    hint: str = "image"
    unpacked: Callable[[Any, Tensor, int, int], Tensor] = _as_it_is
    negative: str = NEGATIVE
    works_from_masked: bool = False
    text_from: Row | None = None
    side: int = SIDE
    single: Callable[[Path, Path], Path] = write_single_file
    embedded: tuple[str, ...] = ()
    alone_in_file: bool = False
    scale_name: str = "guidance_scale"
    built: Callable[[Path], Any] | None = None
    sees_pictures: bool = False
    within: Callable[[], AbstractContextManager[object]] = nullcontext

    @property
    def places(self) -> tuple[str, ...]:
        return ("folder",) if self.text_from else ("folder", "file")

    def ask(self, task: str) -> Ask:
        ask = TASKS[task]
        schedule = "normal" if self.flow else ask.schedule  # of flows it is that of their published pipelines
        width, height = (side * self.side // SIDE for side in ask.size)
        kind = self.always if ask.kind == "text" else ask.kind
        return replace(ask, size=(width, height), kind=kind, schedule=schedule)


NO_FILLER = "No inpainting model of this family is published."
NO_REFINER = "Only Stable Diffusion XL has a refiner."
NO_SUCH_PIPELINE = "diffusers has no pipeline for it."
NO_REFERENCES = "Models of this family see no other pictures."
NO_COMPLETING = "ControlNets that this program knows of this family are shown a picture alone, or there are none."
NO_LCM = "Latent consistency models are not distilled from flows."

SD1 = Row(
    "sd1",
    "Stable Diffusion 1.x",
    tiny_models.build_sd15,
    {
        "text": "StableDiffusionPipeline",
        "image": "StableDiffusionImg2ImgPipeline",
        "inpaint": "StableDiffusionInpaintPipeline",
        "controlnet": "StableDiffusionControlNetPipeline",
        "fill": "StableDiffusionInpaintPipeline",
    },
    embedded=("emb_params",),
    why={"refiner": NO_REFINER},
)
SD2 = replace(SD1, name="sd2", title="Stable Diffusion 2.x", build=tiny_models.build_sd21)
REFINER = Row(
    "sdxl_refiner",
    "SDXL refiner alone",
    tiny_models.build_sdxl_refiner,
    {"image": "StableDiffusionXLImg2ImgPipeline", "inpaint": "StableDiffusionXLInpaintPipeline"},
    always="image",
    embedded=("clip_g",),
    adapted={"text_encoders": False},
    why={
        "text": "The refiner goes on from a picture, in all of its cells.",
        "inpainting model": NO_FILLER,
        "ControlNet": "No ControlNet is made for the refiner.",
        "refiner": "Its half of a run is in the cell of Stable Diffusion XL.",
        "few steps: LCM": "No refiner was distilled.",
        "few steps: Turbo, Lightning": "No refiner was distilled.",
    },
)
SDXL = Row(
    "sdxl",
    "Stable Diffusion XL",
    tiny_models.build_sdxl,
    {
        "text": "StableDiffusionXLPipeline",
        "image": "StableDiffusionXLImg2ImgPipeline",
        "inpaint": "StableDiffusionXLInpaintPipeline",
        "controlnet": "StableDiffusionXLControlNetPipeline",
        "fill": "StableDiffusionXLInpaintPipeline",
    },
    refiner=REFINER,
    embedded=("clip_l", "clip_g"),
)
PIXEL = Row(
    "pixel",
    "Pixel models",
    lambda place: tiny_variants.pixel_model(place, tiny_models.build_sd15),
    {},
    text_from=SD1,
    side=32,
    adapted={"text_encoders": False},
    why={
        "inpainting model": NO_FILLER,
        "ControlNet": "No ControlNet is made for pixel models.",
        "refiner": NO_REFINER,
    },
)
SD3 = Row(
    "sd3",
    "Stable Diffusion 3",
    tiny_models.build_sd3,
    {
        "text": "StableDiffusion3Pipeline",
        "image": "StableDiffusion3Img2ImgPipeline",
        "inpaint": "StableDiffusion3InpaintPipeline",
        "controlnet": "StableDiffusion3ControlNetPipeline",
    },
    flow=True,
    embedded=("clip_l", "clip_g"),
    controlnet=tiny_variants.sd3_controlnet,
    controlnet_class="SD3ControlNetModel",
    hint="control_image",
    why={
        "inpainting model": NO_FILLER,
        "refiner": NO_REFINER,
        "few steps: LCM": NO_LCM,
    },
)
FLUX = Row(
    "flux",
    "Flux.1 dev",
    tiny_models.build_flux,
    {
        "text": "FluxPipeline",
        "image": "FluxImg2ImgPipeline",
        "inpaint": "FluxInpaintPipeline",
        "controlnet": "FluxControlNetPipeline",
    },
    scale=1.0,
    their_scale=lambda scale: 3.5,
    without=frozenset({"negative_prompt"}),
    flow=True,
    embedded=("clip_l",),
    alone_in_file=True,
    controlnet=tiny_variants.flux_controlnet,
    controlnet_class="FluxControlNetModel",
    hint="control_image",
    unpacked=_unpacked,
    why={
        "inpainting model": "That is Flux.1 Fill.",
        "refiner": NO_REFINER,
        "few steps: LCM": NO_LCM,
        "few steps: Turbo, Lightning": "That is Flux.1 schnell.",
        "clip skip": "Flux reads no layer of CLIP but the last.",
    },
)
SCHNELL = replace(
    FLUX,
    name="flux_schnell",
    title="Flux.1 schnell",
    build=tiny_variants.flux_schnell,
    why={task: reason for task, reason in FLUX.why.items() if task != "few steps: Turbo, Lightning"},
)
FILL = replace(
    FLUX,
    name="flux_fill",
    title="Flux.1 Fill",
    build=tiny_variants.flux_fill,
    pipelines={"fill": "FluxFillPipeline"},
    their_scale=lambda scale: 30.0,
    always="fill",
    why={
        **{task: reason for task, reason in FLUX.why.items() if task != "inpainting model"},
        "image": "Fill and Kontext are shown the picture in all of their cells.",
        "inpaint": "Fill and Kontext are shown the picture in all of their cells.",
        "ControlNet": "No ControlNet is made for Fill and Kontext.",
    },
)
KONTEXT = replace(
    FLUX,
    name="flux_kontext",
    title="Flux.1 Kontext",
    pipelines={"reference": "FluxKontextPipeline"},
    always="reference",
    why={
        **FLUX.why,
        **{task: FILL.why[task] for task in ("image", "inpaint", "ControlNet")},
        "three references": "The stock pipeline shows one.",
    },
)
Z_IMAGE = Row(
    "zimage",
    "Z-Image",
    tiny_modern.build_z_image,
    {
        "text": "ZImagePipeline",
        "image": "ZImageImg2ImgPipeline",
        "inpaint": "ZImageInpaintPipeline",
        "controlnet": "ZImageControlNetPipeline",
        "completing": "ZImageControlNetInpaintPipeline",
    },
    their_scale=lambda scale: scale - 1,
    flow=True,
    alone_in_file=True,
    single=tiny_variants.denoiser_file,
    controlnet=tiny_variants.z_image_controlnet,
    completing=tiny_variants.z_image_completing,
    completes_beside=True,
    controlnet_class="ZImageControlNetModel",
    hint="control_image",
    why={
        "inpainting model": NO_FILLER,
        "textual inversion": "Embeddings are for CLIP.",
        "refiner": NO_REFINER,
        "few steps: LCM": NO_LCM,
        "clip skip": "Z-Image reads one layer of its text encoder.",
    },
)
KREA2 = Row(
    "krea2",
    "Krea 2",
    tiny_modern.build_krea2,
    {"text": "Krea2Pipeline"},
    their_scale=lambda scale: scale - 1,
    flow=True,
    alone_in_file=True,
    single=tiny_variants.denoiser_file,
    unpacked=_unpacked,
    why={
        "image": NO_SUCH_PIPELINE,
        "inpaint": NO_SUCH_PIPELINE,
        "inpainting model": NO_FILLER,
        "ControlNet": "No ControlNet is made for Krea 2.",
        "textual inversion": "Embeddings are for CLIP.",
        "refiner": NO_REFINER,
        "few steps: LCM": NO_LCM,
        "clip skip": "Krea 2 reads twelve layers of its text encoder.",
    },
)
KREA2_TURBO = replace(KREA2, name="krea2_turbo", title="Krea 2 Turbo", build=tiny_modern.build_krea2_turbo, scale=1.0)

QWEN_IMAGE = Row(
    "qwenimage",
    "Qwen-Image",
    tiny_modern.build_qwen_image,
    {
        "text": "QwenImagePipeline",
        "image": "QwenImageImg2ImgPipeline",
        "inpaint": "QwenImageInpaintPipeline",
        "controlnet": "QwenImageControlNetPipeline",
        "completing": "QwenImageControlNetInpaintPipeline",
    },
    scale=4.0,
    scale_name="true_cfg_scale",
    flow=True,
    alone_in_file=True,
    single=tiny_variants.denoiser_file,
    controlnet=lambda folder, place: tiny_modern.build_controlnet_qwen(place),
    completing=lambda folder, place: tiny_modern.build_controlnet_qwen(place, extra_condition_channels=4),
    controlnet_class="QwenImageControlNetModel",
    hint="control_image",
    unpacked=_unpacked,
    why={
        "inpainting model": NO_FILLER,
        "textual inversion": "Embeddings are for CLIP.",
        "refiner": NO_REFINER,
        "few steps: LCM": NO_LCM,
        "clip skip": "Qwen-Image reads the last layer of its text encoder.",
    },
)


@contextmanager
def _few_pixels() -> Generator[None]:
    """The editors show pictures in sizes of their own, a megapixel each."""
    seen, kept = patch.object(qwenimage, "SEEN_AREA", 128 * 128), patch.object(qwenimage, "REFERENCE_AREA", 64 * 64)
    with seen, kept, tiny_modern.small_references():
        yield


QWEN_EDIT = replace(
    QWEN_IMAGE,
    name="qwenimage_edit",
    title="Qwen-Image-Edit 2511",
    build=tiny_modern.build_qwen_edit_11,
    pipelines={"reference": "QwenImageEditPlusPipeline"},
    always="reference",
    built=qwen_stock.editor,
    sees_pictures=True,
    within=_few_pixels,
    why={
        **QWEN_IMAGE.why,
        "image": "The editors are shown the picture in all of their cells.",
        "inpaint": "The editors are shown the picture in all of their cells.",
        "ControlNet": "No ControlNet is made for the editors.",
    },
)

QWEN_21 = Row(
    "qwenimage21",
    "Qwen-Image 2.1",
    tiny_modern.build_qwen_21,
    {"text": "QwenImage21Pipeline", "reference": "QwenImage21Pipeline"},
    scale=4.0,
    scale_name="true_cfg_scale",
    flow=True,
    alone_in_file=True,
    single=tiny_variants.denoiser_file,
    unpacked=_tokens,
    built=qwen21_stock.pipeline,
    sees_pictures=True,
    within=lambda: patch.object(qwenimage21, "REFERENCE_AREA", qwen21_stock.RESOLUTION**2),
    why={
        "image": NO_SUCH_PIPELINE,
        "inpaint": NO_SUCH_PIPELINE,
        "inpainting model": NO_FILLER,
        "ControlNet": "No ControlNet is made for Qwen-Image 2.1.",
        "textual inversion": "Embeddings are for CLIP.",
        "refiner": NO_REFINER,
        "few steps: LCM": NO_LCM,
        "clip skip": "Qwen-Image reads the last layer of its text encoder.",
    },
)

KLEIN = Row(
    "klein",
    "Flux.2 Klein",
    tiny_modern.build_klein_base,
    {"text": "Flux2KleinPipeline", "reference": "Flux2KleinPipeline", "inpaint": "Flux2KleinInpaintPipeline"},
    scale=4.0,
    negative="",
    without=frozenset({"negative_prompt", "max_area", "_auto_resize"}),
    flow=True,
    alone_in_file=True,
    single=tiny_variants.denoiser_file,
    unpacked=_normalised,
    works_from_masked=True,
    why={
        "image": NO_SUCH_PIPELINE,
        "inpainting model": NO_FILLER,
        "ControlNet": "No ControlNet is made for Flux.2.",
        "textual inversion": "Embeddings are for CLIP.",
        "refiner": NO_REFINER,
        "few steps: LCM": NO_LCM,
        "clip skip": "Flux.2 reads three layers of its text encoder.",
    },
)
FLUX2 = replace(
    KLEIN,
    name="flux2",
    title="Flux.2 dev",
    build=tiny_variants.flux2_dev,
    pipelines={"text": "Flux2Pipeline", "reference": "Flux2Pipeline"},
    scale=1.0,
    their_scale=lambda scale: 4.0,
    unpacked=_tokens,
    why={**KLEIN.why, "inpaint": NO_SUCH_PIPELINE, "few steps: Turbo, Lightning": "That is Flux.2 Klein."},
)


def _reasoned(row: Row) -> Row:
    """With the reasons that many have: no pictures to work from, no ControlNet that completes pictures."""
    why = dict(row.why)
    if "reference" not in row.pipelines:
        why |= dict.fromkeys(("one reference", "three references"), NO_REFERENCES)
    if "completing" not in row.pipelines:
        why["ControlNet that completes"] = NO_COMPLETING
    return replace(row, why=why)


ROWS: tuple[Row, ...] = (
    *map(_reasoned, (SD1, SD2, SDXL, REFINER, SD3, FLUX, SCHNELL, FILL, KONTEXT, KLEIN, FLUX2)),
    *map(_reasoned, (Z_IMAGE, KREA2, KREA2_TURBO, QWEN_IMAGE, QWEN_EDIT, QWEN_21, PIXEL)),
)
