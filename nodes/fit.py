"""Whether pictures, masks, latents and models fit each other, told from shapes and settings alone.

Nodes ask it when they run, and planning asks it as far as shapes are known by then, so both say the same. One rule for
batches holds everywhere: what is alone goes with every item of the others; otherwise all have equally many.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import floor
from typing import NamedTuple

import nodes.backend.families as families
import nodes.backend.parts as parts
from nodes.types import Conditioning, ControlNet, Latent, Model, Network, Space, TextEncoder, Vae

Shape = tuple[int, ...]
"""[batch, channels, height, width]"""

Known = Shape | None
"""None while it is not known."""


class Latents(tuple[int, ...]):
    """The shape of a latent, and whose space it is in."""

    space: Space

    def __new__(cls, shape: Iterable[int], space: Space) -> Latents:
        made = super().__new__(cls, shape)
        made.space = space
        return made

    @classmethod
    def of(cls, latent: Latent) -> Latents:
        return cls(latent.samples.shape, latent.space)


def _like(latent: Shape, shape: Shape) -> Shape:
    """Another shape in the same space."""
    return Latents(shape, latent.space) if isinstance(latent, Latents) else shape


def check_space(taker: str, space: Space, latent: Shape) -> None:
    """Raises ValueError when a latent is in another space than what takes it."""
    if isinstance(latent, Latents) and latent.space.name != space.name:
        raise ValueError(
            f"the latent is one of {families.of_space(latent.space)}, the {taker} of {families.of_space(space)}; "
            "use the model's own VAE from the start to the end"
        )


def batch(**shapes: Known) -> int | None:
    """How many items come of these inputs; None when one is not known. Raises ValueError when they do not fit."""
    counts = {name: shape[0] for name, shape in shapes.items() if shape is not None}
    several = {name: count for name, count in counts.items() if count != 1}
    if len(set(several.values())) > 1:
        told = " and ".join(f"{name} has {count}" for name, count in several.items())
        raise ValueError(f"batches must have one item or equally many: {told}")
    return None if len(counts) < len(shapes) else max(several.values(), default=1)


def picked(batch: Known, index: int) -> Known:
    """One item of a batch. Raises ValueError when it has none of that number."""
    if batch is None:
        return None
    if index >= batch[0]:
        count = f"{batch[0]} {'item' if batch[0] == 1 else 'items'}"
        raise ValueError(f"the batch has {count}, of which the first is 0; there is no {index}")
    return _like(batch, (1, *batch[1:]))


def together(shapes: Sequence[Shape]) -> Shape:
    """The batch of pictures of one size. Raises ValueError when there is none, or one of another size."""
    if not shapes:
        raise ValueError("the list of images is empty")
    one = shapes[0]
    for number, other in enumerate(shapes, 1):
        if other[1:] != one[1:]:
            raise ValueError(
                f"pictures of a batch must have one size: the first is {one[-1]} x {one[-2]}, "
                f"number {number} is {other[-1]} x {other[-2]}; use Resize first"
            )
    return (sum(shape[0] for shape in shapes), *one[1:])


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
    if isinstance(original, Latents) and latent:
        check_space("original", original.space, latent)
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
    return _like(latent, (count, *latent[1:])) if count and latent else None


def decoded(vae: Vae, latent: Known) -> Known:
    if latent is None:
        return None
    check_space("VAE", vae.space, latent)
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
    space = vae.space
    return Latents((image[0], space.channels, height // space.factor, width // space.factor), space)


def check_sides(space: Space, **sides: int) -> None:
    """Raises ValueError when a picture of these sides has no latent."""
    if any(side % space.multiple for side in sides.values()):
        told = " x ".join(str(sides[name]) for name in ("width", "height"))
        raise ValueError(f"the VAE needs sides that are multiples of {space.multiple}, got {told}; use Resize first")


def reference_size(vae: Vae, image: Shape) -> tuple[int, int]:
    """The (width, height) in which models that this VAE goes with are best shown such a picture to work from.

    Raises ValueError when they see none.
    """
    family = families.of(vae.network.family)
    size = family.reference_size(image[-1], image[-2])
    if size is None:
        raise ValueError(f"models of {family.title} see no other pictures beside the one they make")
    return size


def scaled(latent: Known, scale: float) -> Known:
    return latent and _like(latent, (*latent[:2], floor(latent[-2] * scale), floor(latent[-1] * scale)))


def of_channels(shape: Known, channels: int) -> Known:
    return shape and (shape[0], channels, *shape[2:])


def of_size(shape: Known, width: int, height: int) -> Known:
    return shape and (*shape[:2], height, width)


Hints = tuple[tuple[ControlNet, Known], ...]
"""The networks that a denoising follows, and the shapes of their pictures."""


class Shown(NamedTuple):
    """What is known of a latent that a denoiser is shown beside the one it works on. space: None when not known."""

    space: Space | None
    shape: Known


class Prompt(NamedTuple):
    """What is known of a prompt before it is read: for which family, how wide its states are, and the pooled one.

    What comes with it: masked, the picture to complete; references, those to work from. placed: how many pictures have
    places in it, for denoisers that see them there.
    """

    family: str
    width: int
    pooled: int = 0
    masked: Shown | None = None
    references: tuple[Shown, ...] = ()
    distilled_guidance: bool = False
    placed: int = 0

    @property
    def brings(self) -> frozenset[str]:
        """Fields of `Conditioning`."""
        return frozenset(name for name in BROUGHT if getattr(self, name))


BROUGHT = {
    "masked": ("a picture to complete", "Inpaint conditioning"),
    "references": ("reference pictures", "Reference picture"),
    "distilled_guidance": ("a distilled guidance scale", "Distilled guidance"),
}
"""What a prompt may bring besides, for people, and the node that puts it there."""


def check_step(model: Model, latent: Known, prompts: tuple[Prompt | None, ...], hints: Hints) -> None:
    """Raises ValueError when a denoising cannot be made of these. prompts: what the first one brings holds for all."""
    if latent:
        check_space("model", model.space, latent)
        check_latent(model, latent)
    for prompt in prompts:
        if prompt is not None:
            check_prompt(model, prompt)
    check_placed(tuple(prompt for prompt in prompts if prompt is not None))
    if prompts and prompts[0] is not None:
        check_shown(model, latent, prompts[0])
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
    """Raises ValueError when a prompt was encoded for another model, or brings what this one is not told."""
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
    for name in sorted(prompt.brings - ours.takes(denoiser)):
        what, node = BROUGHT[name]
        raise ValueError(
            f"the prompt brings {what}, which {model.network.weights.path} ({ours.title}) does not take; leave {node} "
            "out, or choose a model that takes it"
        )
    if ours.places_pictures and prompt.placed != len(prompt.references):
        raise ValueError(
            f"{ours.title} sees pictures where its prompt speaks of them: give them to Prompt with pictures, with the "
            "model's VAE, and leave Reference picture out"
        )


def check_placed(prompts: Sequence[Prompt]) -> None:
    """Raises ValueError when prompts of one denoising speak of unequally many pictures that have places in them."""
    if len({prompt.placed for prompt in prompts}) > 1:
        first, other = (prompt.placed for prompt in prompts)
        raise ValueError(
            f"the positive prompt speaks of {first} pictures, the negative one of {other}; give both the same, with "
            "Prompt with pictures"
        )


def check_shown(model: Model, latent: Known, prompt: Prompt) -> None:
    """Raises ValueError when a model that completes pictures gets none, or a prompt brings pictures that do not fit."""
    ours = families.of(model.network.family)
    if prompt.masked is None and "masked" in ours.takes(parts.settings(model.network)):
        raise ValueError(
            f"{model.network.weights.path} ({ours.title}) completes pictures: put Inpaint conditioning between the "
            "prompt and the denoising, with the picture and a mask"
        )
    for space, shape in (*filter(None, [prompt.masked]), *prompt.references):
        if space not in (None, model.space) or (shape and shape[1] != model.space.channels):
            raise ValueError("the prompt brings a picture that was encoded for another model; use the model's own VAE")
        if latent and shape and shape[0] not in (1, latent[0]):
            raise ValueError(f"the prompt brings {shape[0]} pictures for a batch of {latent[0]}; bring one, or all")
    size = prompt.masked and prompt.masked.shape and prompt.masked.shape[-2:]
    if latent and size and size != latent[-2:]:
        factor = model.space.factor
        theirs, made = (f"{sides[-1] * factor} x {sides[-2] * factor}" for sides in (size, latent))
        raise ValueError(f"the picture to complete is {theirs}, the one being made {made}; they must have one size")


def check_pictures(count: int, pictures: int) -> None:
    """Raises ValueError unless a ControlNet got one picture for all items of a batch, or one for each."""
    if pictures not in (1, count):
        raise ValueError(f"a ControlNet got {pictures} pictures for a batch of {count}; give it one, or one for each")


def check_mode(controlnet: ControlNet, mode: str) -> int:
    """The number of a mode; -1 for none, "". Raises ValueError when the ControlNet knows no such mode, or needs one."""
    family = families.of(controlnet.network.family)
    count = family.num_hint_modes(parts.settings(controlnet.network))
    path = controlnet.network.weights.path
    if not mode:
        if count:
            known = ", ".join(name for name, number in family.hint_modes.items() if number < count)
            raise ValueError(f"{path} knows several kinds of picture: set mode to one of {known}")
        return -1
    number = family.hint_modes.get(mode, count)
    if number >= count:
        raise ValueError(
            f"{path} knows no mode {mode!r}" + ("" if count else "; it was trained with one kind of picture")
        )
    return number


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


def check_hint(
    controlnet: ControlNet, vae: Vae | None, *, mask: object | None, completed: object | None = None
) -> None:
    """Raises ValueError when a ControlNet reads latents, and there is nothing that makes them of its pictures, or when
    it completes pictures and gets no mask, or the other way round.

    mask: that of the picture to complete, completed: that picture, where it is another than the one that guides.
    """
    family, path = families.of(controlnet.network.family), controlnet.network.weights.path
    completes = family.completes(parts.settings(controlnet.network))
    if completes == "always" and mask is None:
        raise ValueError(f"{path} completes pictures; link a mask to Apply ControlNet, 1 where they are made anew")
    if mask is not None and completes == "never":
        raise ValueError(f"{path} completes no pictures; take the mask from Apply ControlNet")
    if completed is not None and completes != "also":
        raise ValueError(f"{path} reads one picture; take inpaint_image from Apply ControlNet")
    if completed is not None and mask is None:
        raise ValueError("inpaint_image is to be completed; link a mask to Apply ControlNet, 1 where it is made anew")
    if not reads_latents(controlnet):
        return
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
    """What its prompts will be like. Raises ValueError when it cannot read any as it is set."""
    family = families.of(text_encoder.family)
    if complaint := family.text_complaint(text_encoder):
        raise ValueError(complaint)
    encoders = {network.role: parts.settings(network) for network in text_encoder.encoders}
    return Prompt(text_encoder.family, family.prompt_width(encoders), family.pooled_width(encoders))


def with_pictures(text_encoder: TextEncoder, vae: Vae | None, pictures: Sequence[Known]) -> Prompt:
    """What a prompt is like that speaks of pictures. vae: None where the denoiser does not see them.

    Raises ValueError when the text encoder sees no pictures, or fewer.
    """
    family = families.of(text_encoder.family)
    count = sum(1 if picture is None else picture[0] for picture in pictures)
    if pictures and not family.most_pictures:
        raise ValueError(
            f"the text encoder of {family.title} sees no pictures; use Prompt, and Reference picture for models that "
            "work from one"
        )
    if count > family.most_pictures and pictures:
        raise ValueError(f"{family.title} sees up to {family.most_pictures} pictures with a prompt, got {count}")
    told = prompt_of(text_encoder)._replace(placed=count if family.places_pictures else 0)
    if vae is None:
        return told
    shown = [
        Shown(vae.space, _reference(family, vae, picture)) for picture in pictures for _ in range((picture or (1,))[0])
    ]
    return told._replace(references=tuple(shown))


def _reference(family: families.Family, vae: Vae, picture: Known) -> Known:
    """The latent of a picture in the size in which the denoiser sees it."""
    size = family.reference_size(picture[-1], picture[-2]) if picture else None
    return encoded(vae, (1, 3, size[1], size[0])) if size else None


def prompt_is(conditioning: Conditioning) -> Prompt:
    """What a prompt is like that was read."""
    pooled, masked = conditioning.pooled, conditioning.masked
    return Prompt(
        conditioning.family,
        conditioning.embeds.shape[-1],
        0 if pooled is None else pooled.shape[-1],
        masked and Shown(None, tuple(masked.latent.shape)),
        tuple(Shown(None, tuple(reference.shape)) for reference in conditioning.references),
        conditioning.distilled_guidance is not None,
        len(conditioning.shown_at),
    )


def _latent(shape: Shape) -> str:
    return f"{shape[-1]} x {shape[-2]} with {shape[1]} channels"
