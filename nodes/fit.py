"""Whether pictures, masks, latents and models fit each other, told from shapes and settings alone.

Nodes ask it when they run, and planning asks it as far as shapes are known by then, so both say the same. One rule for
batches holds everywhere: what is alone goes with every item of the others; otherwise all have equally many.
"""

from __future__ import annotations

from math import floor
from typing import NamedTuple

import nodes.backend.families as families
import nodes.backend.parts as parts
from nodes.types import Conditioning, ControlNet, Model, Network, Space, TextEncoder, Vae

Shape = tuple[int, ...]
"""[batch, channels, height, width]"""

Known = Shape | None
"""None while it is not known."""


def batch(**shapes: Known) -> int | None:
    """How many items come of these inputs; None when one is not known. Raises ValueError when they do not fit."""
    counts = {name: shape[0] for name, shape in shapes.items() if shape is not None}
    several = {name: count for name, count in counts.items() if count != 1}
    if len(set(several.values())) > 1:
        told = " and ".join(f"{name} has {count}" for name, count in several.items())
        raise ValueError(f"batches must have one item or equally many: {told}")
    return None if len(counts) < len(shapes) else max(several.values(), default=1)


def size(**shapes: Known) -> tuple[int, int] | None:
    """The (height, width) that these inputs have in common. Raises ValueError when they differ."""
    known = {name: shape for name, shape in shapes.items() if shape is not None}
    if len({shape[-2:] for shape in known.values()}) > 1:
        told = " and ".join(f"{name} is {shape[-1]} x {shape[-2]}" for name, shape in known.items())
        raise ValueError(f"pictures and masks must have one size: {told}; use Resize first")
    return next(((shape[-2], shape[-1]) for shape in known.values()), None)


def joined(channels: int, **shapes: Known) -> Known:
    """What is made of inputs of one size."""
    count, common = batch(**shapes), size(**shapes)
    return (count, channels, *common) if count and common else None


def kept_outside(latent: Known, original: Known, mask: Known) -> Known:
    """What `Keep outside mask` makes. The mask may be of any size with the latent's proportions."""
    if latent and original and latent[1:] != original[1:]:
        told = " and ".join(
            f"{name} is {_latent(shape)}" for name, shape in (("it", latent), ("the original", original))
        )
        raise ValueError(f"the latent and the original must have one size and as many channels: {told}")
    if latent and mask and latent[-1] * mask[-2] != latent[-2] * mask[-1]:
        raise ValueError(
            f"the mask must have the proportions of the picture: the mask is {mask[-1]} x {mask[-2]}, "
            f"the latent {latent[-1]} x {latent[-2]}"
        )
    count = batch(latent=latent, original=original, mask=mask)
    return (count, *latent[1:]) if count and latent else None


def decoded(vae: Vae, latent: Known) -> Known:
    if latent is None:
        return None
    if latent[1] != vae.space.channels:
        raise ValueError(
            f"this VAE decodes latents of {vae.space.channels} channels, got {latent[1]}; use the model's own"
        )
    return (latent[0], 3, latent[-2] * vae.space.factor, latent[-1] * vae.space.factor)


def encoded(vae: Vae, image: Known) -> Known:
    if image is None:
        return None
    height, width = image[-2:]
    check_sides(vae.space, height=height, width=width)
    return (image[0], vae.space.channels, height // vae.space.factor, width // vae.space.factor)


def check_sides(space: Space, **sides: int) -> None:
    """Raises ValueError when a picture of these sides has no latent."""
    if any(side % space.multiple for side in sides.values()):
        told = " x ".join(str(sides[name]) for name in ("width", "height"))
        raise ValueError(f"the VAE needs sides that are multiples of {space.multiple}, got {told}; use Resize first")


def scaled(latent: Known, scale: float) -> Known:
    return latent and (*latent[:2], floor(latent[-2] * scale), floor(latent[-1] * scale))


def of_channels(shape: Known, channels: int) -> Known:
    return shape and (shape[0], channels, *shape[2:])


def of_size(shape: Known, width: int, height: int) -> Known:
    return shape and (*shape[:2], height, width)


Hints = tuple[tuple[ControlNet, Known], ...]
"""The networks that a denoising follows, and the shapes of their pictures."""


class Prompt(NamedTuple):
    """What is known of a prompt before it is read: for which family, how wide its states are, and the pooled one."""

    family: str
    width: int
    pooled: int = 0


def check_step(model: Model, latent: Known, prompts: tuple[Prompt | None, ...], hints: Hints) -> None:
    """Raises ValueError when a denoising cannot be made of these."""
    if latent:
        check_latent(model, latent)
    for prompt in prompts:
        if prompt is not None:
            check_prompt(model, prompt)
    for controlnet, pictures in hints:
        check_controlnet(model, controlnet)
        if latent and pictures:
            check_pictures(latent[0], pictures[0])
        if latent:
            check_positions(controlnet.network, model.space, latent)


def check_latent(model: Model, latent: Shape) -> None:
    """Raises ValueError when the model cannot denoise latents of this shape."""
    check_channels(model, latent)
    space, (height, width) = model.space, latent[-2:]
    if any(side * space.factor % space.multiple for side in (height, width)):
        raise ValueError(
            f"the model makes pictures whose sides are multiples of {space.multiple}, got "
            f"{width * space.factor} x {height * space.factor}"
        )
    check_positions(model.network, space, latent)


def check_positions(network: Network, space: Space, latent: Shape) -> None:
    """Raises ValueError when a network has no positions for pictures that are so large."""
    most = families.of(network.family).most_side(parts.settings(network))
    if most is not None and max(latent[-2:]) * space.factor > most:
        raise ValueError(
            f"{network.weights.path} knows places in pictures of up to {most:,} pixels a side, got "
            f"{latent[-1] * space.factor:,} x {latent[-2] * space.factor:,}"
        )


def check_channels(model: Model, latent: Shape) -> None:
    """Raises ValueError when the latent was made for another model."""
    channels = model.space.channels
    if latent[1] != channels:
        raise ValueError(f"the model takes {channels} latent channels, got {latent[1]}; use the model's own VAE")


def check_prompt(model: Model, prompt: Prompt) -> None:
    """Raises ValueError when a prompt was encoded for another model."""
    ours = families.of(model.network.family)
    if prompt.family not in ours.reads:
        theirs = families.of(prompt.family).title
        raise ValueError(f"the prompt was read for {theirs}, the model is {ours.title}; use its own text encoder")
    denoiser = parts.settings(model.network)
    if not ours.reads_width(denoiser, prompt.width):
        raise ValueError(
            f"the model reads prompts of width {ours.read_width(denoiser)}, got {prompt.width}; use the model's own "
            "text encoder"
        )
    pooled = ours.read_pooled_width(denoiser)
    if pooled and prompt.pooled != pooled:
        raise ValueError(
            f"the model reads prompts whose pooled state is {pooled} wide, got {prompt.pooled}; use the model's own "
            "text encoder"
        )


def check_pictures(count: int, pictures: int) -> None:
    """Raises ValueError unless a ControlNet got one picture for all items of a batch, or one for each."""
    if pictures not in (1, count):
        raise ValueError(f"a ControlNet got {pictures} pictures for a batch of {count}; give it one, or one for each")


def check_controlnet(model: Model, controlnet: ControlNet) -> None:
    """Raises ValueError when the two were made for different families: what one adds has no place in the other."""
    family, theirs = families.of(model.network.family), families.of(controlnet.network.family)
    if theirs is not family:
        raise ValueError(
            f"{controlnet.network.weights.path} is a ControlNet for {theirs.title}, the model is {family.title}"
        )
    complaint = family.controlnet_complaint(parts.settings(model.network), parts.settings(controlnet.network))
    if complaint:
        raise ValueError(
            f"{controlnet.network.weights.path} is a ControlNet for another model than {model.network.weights.path}: "
            f"{complaint}"
        )


def check_hint(controlnet: ControlNet, vae: Vae | None) -> None:
    """Raises ValueError when a ControlNet reads latents, and there is nothing that makes them of its pictures."""
    if not reads_latents(controlnet):
        return
    family, path = families.of(controlnet.network.family), controlnet.network.weights.path
    if vae is None:
        raise ValueError(f"{path} reads pictures as latents; link the checkpoint's VAE to Apply ControlNet")
    if vae.space != family.space:
        raise ValueError(
            f"{path} is a ControlNet for {family.title}, the VAE is of another family; link the checkpoint's own"
        )


def reads_latents(controlnet: ControlNet) -> bool:
    """Whether a ControlNet reads its pictures as the VAE's latents."""
    return families.of(controlnet.network.family).reads_latents(parts.settings(controlnet.network))


def prompt_of(text_encoder: TextEncoder) -> Prompt:
    """What its prompts will be like."""
    family = families.of(text_encoder.family)
    encoders = {network.role: parts.settings(network) for network in text_encoder.encoders}
    return Prompt(text_encoder.family, family.prompt_width(encoders), family.pooled_width(encoders))


def prompt_is(conditioning: Conditioning) -> Prompt:
    """What a prompt is like that was read."""
    pooled = conditioning.pooled
    return Prompt(conditioning.family, conditioning.embeds.shape[-1], 0 if pooled is None else pooled.shape[-1])


def _latent(shape: Shape) -> str:
    return f"{shape[-1]} x {shape[-2]} with {shape[1]} channels"
