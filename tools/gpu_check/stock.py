"""The same pictures with the stock pipelines of diffusers, which are given their prompts read."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch
from diffusers.pipelines.flux.pipeline_flux import FluxPipeline
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl import StableDiffusionXLPipeline
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler

from nodes.backend import loading, parts
from nodes.backend.checkpoints import Checkpoint
from nodes.types import Network
from tests import tiny_models
from tools.gpu_check.models import Subject

DTYPES = {"sd1": torch.float16, "sdxl": torch.float16, "flux": torch.bfloat16}
TOKENS = {"sd1": 77, "sdxl": 77, "flux": 512}


def pipeline(subject: Subject, checkpoint: Checkpoint, device: torch.device) -> Any:
    """With weights of its own, in the precision that its family is used in; on a CPU in float32."""
    dtype = torch.float32 if device.type == "cpu" else DTYPES[subject.family]
    denoiser = _network(checkpoint.model.network, device, dtype)
    vae = _network(checkpoint.vae.network, device, dtype)
    noise = EulerDiscreteScheduler(**tiny_models.SD_NOISE, timestep_spacing="linspace", steps_offset=1)
    sd: Any = StableDiffusionPipeline
    xl: Any = StableDiffusionXLPipeline
    flux: Any = FluxPipeline
    match subject.family:
        case "sd1":
            made = sd(vae, None, None, denoiser, noise, None, None, requires_safety_checker=False)
        case "sdxl":
            made = xl(vae, None, None, None, None, denoiser, noise, add_watermarker=False)
        case _:
            flow = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True)
            made = flux(flow, vae, None, None, None, None, denoiser)
    made.set_progress_bar_config(disable=True)
    return made


def _network(network: Network, device: torch.device, dtype: torch.dtype) -> Any:
    part = parts.part(network)
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            module = loading.build(part.spec.architecture, part.settings())
    finally:
        torch.set_default_dtype(before)
    return module.to(device, dtype).requires_grad_(False).eval()


def compile_blocks(made: Any) -> None:
    """As diffusers advises: its repeated blocks alone, which takes seconds in place of minutes."""
    (made.transformer if hasattr(made, "transformer") else made.unet).compile_repeated_blocks(fullgraph=True)


def make(made: Any, subject: Subject, prompt: dict[str, torch.Tensor], steps: int, place: Path) -> float:
    """Seconds until the picture is a file. prompt: what the pipeline is given for one."""
    start = time.perf_counter()
    with torch.inference_mode():
        found = made(
            **prompt,
            num_inference_steps=steps,
            guidance_scale=3.5 if subject.family == "flux" else subject.guidance_scale,
            height=subject.size,
            width=subject.size,
            num_images_per_prompt=subject.batch,
            generator=torch.Generator("cpu").manual_seed(steps),
        )
    for number, picture in enumerate(found.images):
        picture.save(place / f"stock_{number}.png")
    return time.perf_counter() - start


def prompt(made: Any, subject: Subject) -> dict[str, torch.Tensor]:
    """A read prompt of random numbers, and one to keep away from."""
    net = made.transformer if subject.family == "flux" else made.unet
    width = net.config.joint_attention_dim if subject.family == "flux" else net.config.cross_attention_dim
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator).to(net.device, net.dtype)

    embeds = draw(1, TOKENS[subject.family], width)
    if subject.family == "sd1":
        return {"prompt_embeds": embeds, "negative_prompt_embeds": -embeds}
    if subject.family == "flux":
        return {"prompt_embeds": embeds, "pooled_prompt_embeds": draw(1, net.config.pooled_projection_dim)}
    pooled = draw(1, net.config.projection_class_embeddings_input_dim - 6 * net.config.addition_time_embed_dim)
    return {
        "prompt_embeds": embeds,
        "negative_prompt_embeds": -embeds,
        "pooled_prompt_embeds": pooled,
        "negative_pooled_prompt_embeds": -pooled,
    }
