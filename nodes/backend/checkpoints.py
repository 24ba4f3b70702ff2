"""What is in a checkpoint: descriptions of its parts, made without loading a weight.

Planning calls this in a process without torch: JSON configs and safetensors headers tell all that is needed.
A checkpoint is either a diffusers folder (unet/, vae/, text_encoder/, tokenizer/, scheduler/) or one .safetensors
file with the names of the original Stable Diffusion code.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from nodegraph.program import FOLDER
from nodes.backend import architecture, lora_file, lora_scale, shards, vocabulary
from nodes.backend.contents import PREFIXES, Source, check_whole_file, listed, sources
from nodes.backend.fields import read_settings
from nodes.backend.headers import Shapes, shapes
from nodes.backend.part_settings import KIND, Settings, read_part, read_training
from nodes.types import ControlNet, Lora, Model, Part, TextEncoder, Vae, Weights

CONFIGS = Path(__file__).parents[1] / "configs" / "sd1"
"""Settings of the parts of a one-file checkpoint, which holds weights alone."""

FAMILY = "sd1"
MAX_NATIVE = 4096  # pixels
LATENT_SIZE = 64  # side of the latents that Stable Diffusion 1.x was trained with


class Checkpoint(NamedTuple):
    model: Model
    text_encoder: TextEncoder
    vae: Vae


def find(path: str) -> Path:
    """Where a path in a workflow leads: from the working folder, or else from the program's own folder.

    Raises ValueError when nothing is there.
    """
    if not path.strip():
        raise ValueError("choose a file: the path is empty")
    given = Path(path).expanduser()
    places = [given] if given.is_absolute() else [Path.cwd() / given, FOLDER / given]
    found = next((place for place in places if place.exists()), None)
    if found is None:
        raise ValueError(f"there is no file or folder {path}")
    return found.resolve()


def checkpoint(path: str) -> Checkpoint:
    """Describe the three parts of a Stable Diffusion checkpoint. Raises ValueError when it is not one."""
    place = find(path)
    if place.is_dir():
        _check_folder(place)
    else:
        _check_file(place, shapes(place))
    unet, vae = config(place, "unet"), config(place, "vae")
    if unet["in_channels"] != vae["latent_channels"]:
        raise ValueError(
            f"{place} is not a text-to-image model: its U-Net takes {unet['in_channels']} channels, "
            f"its VAE makes {vae['latent_channels']}"
        )
    prediction, schedule = read_training(scheduler_file(place))
    factor = 2 ** (len(vae["block_out_channels"]) - 1)
    native_size = (unet["sample_size"] or LATENT_SIZE) * factor
    if native_size > MAX_NATIVE:
        raise ValueError(
            f"{place}/unet/config.json: sample_size {unet['sample_size']} means pictures of {native_size:,} pixels a "
            f"side; {MAX_NATIVE:,} is the most"
        )
    found = Checkpoint(
        Model(weights(place, "unet"), FAMILY, prediction, schedule),
        TextEncoder(weights(place, "text_encoder"), FAMILY),
        Vae(weights(place, "vae"), vae["latent_channels"], factor, native_size),
    )
    if place.is_dir():
        vocabulary.read(place / "tokenizer", config(place, "text_encoder")["vocab_size"])
    return found


def pixel_model(path: str) -> Model:
    """Describe a denoiser of pixels. Raises ValueError when the folder holds none."""
    place = find(path)
    unet = (place / "unet").is_dir() and kind_of(place / "unet")["_class_name"] == "UNet2DConditionModel"
    if not unet or config(place, "unet")["in_channels"] != 3:
        raise ValueError(f"{place} is not a pixel-space model: it has no unet/ that reads prompts and takes 3 channels")
    return Model(weights(place, "unet"), FAMILY, *read_training(scheduler_file(place)))


def controlnet(path: str) -> ControlNet:
    """Describe a ControlNet: a diffusers folder, or a file of either layout. Raises ValueError when it is none."""
    place = find(path)
    if place.is_dir():
        kind = kind_of(place)
        if kind["_class_name"] != "ControlNetModel":
            raise ValueError(f"{place} is not a ControlNet: its config.json says otherwise")
        if kind["addition_embed_type"]:
            raise ValueError(f"{place} is a ControlNet for Stable Diffusion XL; this program can run 1.x")
    else:
        names = shapes(place)
        if not any("zero_convs.0." in n or n.startswith("controlnet_down_blocks.") for n in names):
            raise ValueError(f"{place} is not a ControlNet: it has none of its output layers")
        if any(
            name.removeprefix(PREFIXES["controlnet"]).startswith(("add_embedding.", "label_emb.")) for name in names
        ):
            raise ValueError(f"{place} is a ControlNet for Stable Diffusion XL; this program can run 1.x")
        width = config(place, "controlnet")["cross_attention_dim"]  # a file brings no settings of its own
        widths = {shape[-1] for name, shape in names.items() if name.endswith(".attn2.to_k.weight") and shape}
        if widths - {width}:
            raise ValueError(
                f"{place} is a ControlNet for models with prompts {max(widths - {width})} wide; those of Stable "
                f"Diffusion 1.x are {width}"
            )
    return ControlNet(weights(place, "controlnet"), FAMILY)


def lora(path: str, model: Model, text_encoder: TextEncoder) -> Lora:
    """Describe a LoRA for this model and this text encoder, at strength 1.

    Raises ValueError when the file is none, was made for another family of models, or holds a tensor that would do
    nothing.
    """
    place = find(path)
    if place.is_dir():
        raise ValueError(f"{place} is a folder; choose the LoRA's .safetensors file")
    found = shapes(place)
    lora_file.check_kind(place, found)
    unet = config(Path(model.weights.path), "unet")
    width = unet["cross_attention_dim"]
    if other := lora_file.prompt_widths(found) - {width}:
        raise ValueError(f"{place} is a LoRA for models with prompts {max(other)} wide; this one's are {width}")
    networks: dict[lora_file.Network, Settings]
    networks = {"unet": unet, "text_encoder": config(Path(text_encoder.weights.path), "text_encoder")}
    unknown = set(found)
    for network, settings in networks.items():
        layers = lora_file.layers(architecture.OF[network](settings))
        content = lora_file.read(place, found, network, layers, settings)
        lora_scale.check(place, network, content.pairs)
        unknown &= set(content.unknown)
    if unknown:
        raise ValueError(f"{place} has tensors for no layer of this model: {listed(sorted(unknown))}")
    return Lora(Weights.of(place, filter(None, (place, lora_scale.config_file(place)))), 1.0)


def settings_folder(place: Path) -> Path:
    """Where the settings of a checkpoint are: in its folder; one file brings none."""
    return place if place.is_dir() else CONFIGS


def scheduler_file(place: Path) -> Path:
    return settings_folder(place) / "scheduler" / "scheduler_config.json"


def config_file(place: Path, part: Part) -> Path:
    alone = part == "controlnet" and place.is_dir()  # its folder holds nothing else
    return (place if alone else settings_folder(place) / part) / "config.json"


def config(place: Path, part: Part) -> Settings:
    """The settings of one part of a checkpoint. Raises ValueError when they are missing or cannot be meant."""
    return read_part(config_file(place, part), part)


def kind_of(folder: Path, name: str = "config.json") -> Settings:
    """What a settings file says that it describes: fields of KIND."""
    return read_settings(folder / name, KIND)


def weight_files(place: Path, part: Part) -> tuple[Path, ...]:
    """The .safetensors files of one part. Raises ValueError when there are none, or not all."""
    if place.is_file():
        return (place,)
    folder = place if part == "controlnet" else place / part
    return shards.weight_files(folder, "model" if part == "text_encoder" else "diffusion_pytorch_model")


def weights(place: Path, part: Part) -> Weights:
    """Describe the weights of one part. Raises ValueError when they are not those that its settings ask for."""
    tensors(place, part)
    return Weights.of(place, [*weight_files(place, part), *_settings_files(place, part)])


def tensors(place: Path, part: Part) -> dict[str, Source]:
    """Where every tensor of a part is; see `contents.sources`."""
    return sources(place, weight_files(place, part), part, config(place, part))


def _settings_files(place: Path, part: Part) -> list[Path]:
    """What is read of one part besides its weights."""
    files = [config_file(place, part)]
    if part == "text_encoder":
        files += sorted(path for path in (settings_folder(place) / "tokenizer").iterdir() if path.is_file())
    return files


def _check_folder(place: Path) -> None:
    if (place / "transformer").is_dir():
        kind = kind_of(place, "model_index.json")["_class_name"]
        raise ValueError(f"{place} is a {kind}; this program can run Stable Diffusion 1.x")
    for part in ("unet", "vae", "text_encoder", "tokenizer", "scheduler"):
        if not (place / part).is_dir():
            raise ValueError(f"{place} is not a checkpoint folder: it has no folder {part}")
    kind = kind_of(place / "unet")
    if (place / "text_encoder_2").is_dir() or kind["addition_embed_type"]:
        raise ValueError(f"{place} is a Stable Diffusion XL model; this program can run Stable Diffusion 1.x")
    if kind["_class_name"] != "UNet2DConditionModel":
        raise ValueError(f"{place}/unet is a {kind['_class_name']}; this program can run UNet2DConditionModel")


def _check_file(place: Path, found: Shapes) -> None:
    if kind := _other_kind(found):
        raise ValueError(f"{place} is {kind}; this program can run Stable Diffusion 1.x")
    for part in ("unet", "text_encoder", "vae"):
        if not any(name.startswith(PREFIXES[part]) for name in found):
            raise ValueError(
                f"{place} is not a whole Stable Diffusion 1.x checkpoint: it has no {PREFIXES[part]}* tensors"
            )
    first = found.get(f"{PREFIXES['unet']}input_blocks.0.0.weight", ())
    if len(first) != 4:
        raise ValueError(f"{place} is damaged: its U-Net has no first layer, or one of shape {first}")
    if (channels := first[1]) != config(place, "unet")["in_channels"]:
        raise ValueError(
            f"{place} takes {channels} channels, as inpainting models do; this program can run text-to-image"
        )
    check_whole_file(place, found)


def _other_kind(found: Shapes) -> str | None:
    """What a file is, when it is something known that is no SD 1.x checkpoint."""
    if lora_file.is_lora(found):
        return "a LoRA, not a checkpoint (use Load LoRA)"
    marks = {
        "conditioner.embedders.": "a Stable Diffusion XL model",
        "cond_stage_model.model.": "a Stable Diffusion 2.x model",
        "model.diffusion_model.joint_blocks.": "a Stable Diffusion 3 model",
        "joint_blocks.": "a Stable Diffusion 3 model",
        "double_blocks.": "a Flux model",
        "model.diffusion_model.double_blocks.": "a Flux model",
        "control_model.": "a ControlNet (use Load ControlNet)",
    }
    return next((kind for mark, kind in marks.items() if any(name.startswith(mark) for name in found)), None)
