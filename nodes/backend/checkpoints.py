"""What a path in a workflow leads to: descriptions of networks, made without loading a weight.

Planning calls this in a process without torch: settings and safetensors headers tell all that is needed. A checkpoint
is either a folder of the diffusers layout or one .safetensors file with the names of its family's original code.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from nodegraph.program import FOLDER
from nodes.backend import embedding_file, families, headers, lora_file, lora_scale, vae_kinds
from nodes.backend.contents import listed, refuse_unused
from nodes.backend.families.family import Family, Found, Role
from nodes.backend.fields import Either, Field, Flag, Only, Schema, Text, Whole, read_settings
from nodes.backend.headers import Shapes
from nodes.backend.networks.architecture import SCHEDULE, TRAINING, Ignored, Settings
from nodes.backend.parts import INDEX, Part, num_tokens, part, settings, settings_folder
from nodes.backend.tokenizer_kinds import KINDS
from nodes.backend.weight_files import shapes
from nodes.types import (
    AS_STORED,
    PIXELS,
    Around,
    ControlNet,
    Embedding,
    Lora,
    Model,
    Network,
    Storage,
    TextEncoder,
    Vae,
    Weights,
)

MAX_NATIVE = 4096  # pixels
NOT_IN_NAMES = "()[]\\"  # of embeddings: what prompts read as marks
KIND: Schema = {
    "_class_name": Field(Text(), ""),
    "addition_embed_type": Field(Either(Text(), Only(None)), None),
    "hidden_act": Field(Either(Text(), Only(None)), None),
    "cross_attention_dim": Field(Either(Whole(1, 1_000_000), Only(None)), None),
    "guidance_embeds": Field(Either(Flag(), Only(None)), None),
    "use_linear_projection": Field(Either(Flag(), Only(None)), None),
}
"""What tells families apart, in a model_index.json or the settings of a part: words to compare and to show."""

BESIDE = (
    *TRAINING,
    SCHEDULE,
    Ignored(r"cond_stage_model\.(text_projection|logit_scale)", "compares texts with pictures"),
    Ignored(r"(conditioner\.embedders\.\d|text_encoders\.\w+)\.logit_scale", "compares texts with pictures"),
)
"""What may lie beside the networks in a file that holds all of them."""


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


def checkpoint(path: str, storage: Storage = AS_STORED) -> Checkpoint:
    """Describe the networks of a checkpoint. storage: of its denoiser.

    Raises ValueError when it is none, or lacks one of them.
    """
    place = find(path)
    found = look(place)
    family = _family(found)
    if "vae" not in family.roles:
        raise ValueError(f"{place} is a {family.title.lower()}, not a checkpoint; use Load pixel model")
    encoders = tuple(role for role in family.encoders if _is_there(found, family.roles[role]))
    _check_whole(found, family, encoders)
    parts = {
        role: Part(_place_of(found, family.roles[role]), family, role) for role in (family.denoiser, *encoders, "vae")
    }
    network = {role: part.network(storage if role == family.denoiser else AS_STORED) for role, part in parts.items()}
    _check_tokenizers([parts[role] for role in encoders])
    model = _model(found, family, network[family.denoiser])
    text_encoder = TextEncoder(family.name, tuple(network[role] for role in encoders))
    return Checkpoint(model, text_encoder, _vae(network["vae"], model))


def denoiser(path: str, storage: Storage = AS_STORED) -> Model:
    """Describe the denoiser in a file or folder of its own, or in that of a checkpoint. Raises ValueError."""
    found = look(find(path))
    family = _family(found)
    return _model(found, family, Part(found.place, family, family.denoiser).network(storage))


def text_encoders(model: Model, paths: Iterable[str], storage: Storage = AS_STORED) -> TextEncoder:
    """Describe the encoders that read prompts for a model, each in a file or folder of its own, in any order.

    Raises ValueError when one is none of the family's, is there twice, or is missing.
    """
    family = families.of(model.network.family)
    networks: dict[str, Network] = {}
    for path in filter(str.strip, paths):
        found = dict(_encoders_in(find(path), family, storage))
        if twice := found.keys() & networks.keys():
            title = family.roles[twice.pop()].title.lower()
            raise ValueError(f"the {title} of {family.title} is given twice, the second time by {path}")
        networks |= found
    lacking = [role for role in family.encoders if role not in networks and not family.roles[role].optional]
    if lacking:
        titles = " and the ".join(family.roles[role].title.lower() for role in lacking)
        raise ValueError(f"{family.title} also needs the {titles}; choose its file too")
    return TextEncoder(family.name, tuple(networks[role] for role in family.encoders if role in networks))


def _encoders_in(place: Path, family: Family, storage: Storage) -> Iterator[tuple[str, Network]]:
    """By role, the encoders that a place holds: one, or all of them when it is a checkpoint's."""
    complaints: list[str] = []
    for role in family.encoders:
        encoder = Part(place, family, role)
        try:
            encoder.sources()
        except ValueError as error:
            complaints.append(str(error))
        else:
            complaints.append("")
            yield role, encoder.network(storage)
    if all(complaints):
        told = min(complaints, key=len) if complaints else "it reads no prompts of its own"
        raise ValueError(f"{place} is no text encoder of {family.title}: {told}")


def autoencoder(model: Model, path: str) -> Vae:
    """Describe the autoencoder of a model, in a file or folder of its own or in a checkpoint's. Raises ValueError."""
    family = families.of(model.network.family)
    if "vae" not in family.roles:
        raise ValueError(f"{family.title} works on the pixels themselves and has no VAE")
    return _vae(Part(find(path), family, "vae").network(), model)


def pixel_model(path: str) -> Model:
    """Describe a denoiser of pixels. Raises ValueError when the folder holds none."""
    found = look(find(path))
    family = families.recognise(found)
    if family is None or family.space != PIXELS:
        raise ValueError(
            f"{found.place} is not a pixel-space model: it has no unet/ that reads prompts and takes 3 channels"
        )
    return _model(found, family, Part(found.place, family, family.denoiser).network())


def controlnet(path: str) -> ControlNet:
    """Describe a ControlNet: a folder of its own, or a file of either layout. Raises ValueError when it is none."""
    place = find(path)
    found = look(place)
    family = next((family for family in families.FAMILIES if family.recognises_controlnet(found)), None)
    if family is None:
        said = "its config.json says otherwise" if place.is_dir() else "it has none of its output layers"
        raise ValueError(f"{place} is not a ControlNet for a family that this program knows: {said}")
    return ControlNet(Part(place, family, "controlnet").network())


def lora(path: str, model: Model, text_encoder: TextEncoder | None = None) -> Lora:
    """Describe a LoRA for this model and this text encoder, at strength 1. Without one, what is for it is left out.

    Raises ValueError when the file is none, was made for another family of models, or holds a tensor that would do
    nothing.
    """
    place = find(path)
    if place.is_dir():
        raise ValueError(f"{place} is a folder; choose the LoRA's .safetensors file")
    found = headers.shapes(place)
    lora_file.check_kind(place, found)
    family = families.of(model.network.family)
    _check_adapted_family(place, found, family)
    width = settings(model.network).get("cross_attention_dim")  # elsewhere, attn2 is no cross-attention
    if width and (other := lora_file.prompt_widths(found) - {width}):
        raise ValueError(f"{place} is a LoRA for models with prompts {max(other)} wide; this one's are {width}")
    unknown = set(found)
    for network in (model.network, *(text_encoder.encoders if text_encoder else ())):
        spec = part(network).spec
        layers = lora_file.layers(spec.architecture.shapes(settings(network)))
        content = lora_file.read(place, found, spec, layers, settings(network))
        lora_scale.check(place, spec, content.additions)
        unknown &= set(content.unknown)
    if text_encoder is None:
        unknown -= _for_encoders(family, unknown)
    if unknown == set(found):
        raise ValueError(f"{place} is a LoRA for another family of models than this one ({family.title})")
    if unknown:
        what = (text_encoder and _left_out(family, text_encoder, unknown)) or "no layer of this model"
        raise ValueError(f"{place} has tensors for {what}: {listed(sorted(unknown))}")
    return Lora(Weights.of(place, filter(None, (place, lora_scale.config_file(place)))), 1.0)


def embedding(path: str, name: str, text_encoder: TextEncoder) -> Embedding:
    """Describe an embedding for a text encoder. name: what stands for it in prompts; empty is the file's own.

    Raises ValueError when the file is none, fits none of the encoders, or its name is taken or can stand in no prompt.
    """
    place = find(path)
    if place.is_dir():
        raise ValueError(f"{place} is a folder; choose the embedding's .safetensors file")
    name = name.strip() or place.stem
    if not name.isprintable() or set(name) & set(NOT_IN_NAMES) or "BREAK" in name:
        raise ValueError(
            f"{name!r} cannot stand in a prompt for {place}: give it a name without {NOT_IN_NAMES} or BREAK"
        )
    if any(known.name.casefold() == name.casefold() for known in text_encoder.embeddings):
        raise ValueError(f"there are two embeddings named {name!r}; give {place} another name")
    found = headers.shapes(place)
    if not found or lora_file.is_lora(found):
        raise ValueError(f"{place} is no embedding: it has {'low-rank pairs' if found else 'no tensors'}")
    embedding_file.read(place, found, readers(text_encoder))
    return Embedding(name, Weights.of(place, [place]))


def readers(text_encoder: TextEncoder) -> dict[str, embedding_file.Reads]:
    """By role, the encoders that embeddings can be put into. Raises ValueError when there is none."""
    family = families.of(text_encoder.family)
    kinds = {network.role: family.roles[network.role] for network in text_encoder.encoders}
    clips = {role for role, spec in kinds.items() if spec.tokenizer and spec.tokenizer.kind == "clip"}
    if not clips:
        raise ValueError(
            f"none of the text encoders of {family.title} that are loaded is a CLIP, as embeddings are for"
        )
    return {
        network.role: embedding_file.Reads(kinds[network.role].embedding_names, settings(network))
        for network in text_encoder.encoders
        if network.role in clips
    }


def _left_out(family: Family, text_encoder: TextEncoder, names: Iterable[str]) -> str | None:
    """The encoder that all these tensors of a LoRA are for, when it is one that a family can do without."""
    for role in set(family.encoders) - {network.role for network in text_encoder.encoders}:
        spec = family.roles[role]
        prefixes = tuple(filter(None, (*spec.adapter_names, *spec.flat_adapter_names)))
        if prefixes and all(name.startswith(prefixes) for name in names):
            return f"the {spec.title}, which is not loaded"
    return None


def _for_encoders(family: Family, names: Iterable[str]) -> set[str]:
    """The tensors of a LoRA that are named for text encoders of a family."""
    specs = [family.roles[role] for role in family.encoders]
    prefixes = tuple(filter(None, (name for s in specs for name in (*s.adapter_names, *s.flat_adapter_names))))
    return {name for name in names if name.startswith(prefixes)} if prefixes else set()


def look(place: Path) -> Found:
    """What is there, before it is known what it is. Raises ValueError when a file cannot be read."""
    if place.is_file():
        return Found(place, shapes=shapes(place))
    return Found(place, kinds=dict(_kinds(place)))


def _kinds(place: Path) -> Iterator[tuple[str, Settings]]:
    for name in (INDEX, "config.json"):
        if (place / name).is_file():
            yield "", read_settings(place / name, KIND)
            break
    for folder in sorted(path for path in place.iterdir() if path.is_dir()):
        if (folder / "config.json").is_file():
            yield folder.name, read_settings(folder / "config.json", KIND)


def _family(found: Found) -> Family:
    """Raises ValueError, saying what it is as far as that can be told, when it is none of the families'."""
    if family := families.recognise(found):
        return family
    ours = ", ".join(family.title for family in families.FAMILIES)
    if kind := _other_kind(found):
        raise ValueError(f"{found.place} is {kind}; this program can run {ours}")
    raise ValueError(f"{found.place} is not a checkpoint of a family that this program can run: {ours}")


def _other_kind(found: Found) -> str | None:
    """What a place holds, when it is something known that is no checkpoint."""
    if found.kinds:
        kinds = [found.kind(folder) for folder in ("", "unet", "transformer")]
        return "a " + " with a ".join(filter(None, kinds)) if any(kinds) else None
    if lora_file.is_lora(found.shapes):
        return "a LoRA, not a checkpoint (use Load LoRA)"
    if any(family.recognises_controlnet(found) for family in families.FAMILIES):
        return "a ControlNet, not a checkpoint (use Load ControlNet)"
    return next(filter(None, (family.nearly(found) for family in families.FAMILIES)), None)


def _is_there(found: Found, spec: Role) -> bool:
    """Whether a checkpoint has a network, or has to have it."""
    if not spec.optional:
        return True
    return (found.place / spec.folder).is_dir() if found.kinds else _has(found, spec)


def _has(found: Found, spec: Role) -> bool:
    """Whether a file, or else the checkpoint's folder that it lies in, holds a network."""
    return found.has_any(spec.prefixes) or _place_of(found, spec) != found.place


def _place_of(found: Found, spec: Role) -> Path:
    """Where a network of a checkpoint is. What a file lacks is taken from the folder that it lies in, as Flux.1's is
    published: the transformer in a file, its text encoders and its VAE in folders beside it.
    """
    around = settings_folder(found.place)
    lacking = not found.kinds and not found.has_any(spec.prefixes)
    return around if lacking and around and any((around / spec.folder).glob("*.safetensors")) else found.place


def _check_whole(found: Found, family: Family, encoders: Sequence[str]) -> None:
    """Raises ValueError when a network is missing, or something lies in a file beside the networks."""
    roles = {role: family.roles[role] for role in (family.denoiser, *encoders, "vae")}
    if found.kinds:
        for spec in roles.values():
            shipped = spec.tokenizer.folder if spec.tokenizer and KINDS[spec.tokenizer.kind].shipped else None
            for folder in filter(None, (spec.folder, shipped)):
                if not (found.place / folder).is_dir():
                    raise ValueError(f"{found.place} is not a whole checkpoint folder: it has no folder {folder}")
        return
    for role, spec in roles.items():
        if not _has(found, spec):
            raise ValueError(
                f"{found.place} is not a whole {family.title} checkpoint: it has no {spec.prefixes[0]}* tensors, which "
                f"its {role} would be{_beside(found, family, roles)}"
            )
    prefixes = tuple(
        prefix for spec in roles.values() if (prefix := next(filter(found.has, spec.prefixes), None)) is not None
    )
    refuse_unused(
        str(found.place), (name for name in found.shapes if not name.startswith(prefixes)), (*BESIDE, *family.marks)
    )


def _beside(found: Found, family: Family, roles: Mapping[str, Role]) -> str:
    """What to load beside a file that has the denoiser, for the end of a sentence; nothing when it has none."""
    if not found.has_any(family.roles[family.denoiser].prefixes):
        return ""
    missing = [role for role, spec in roles.items() if not _has(found, spec)]
    nodes = (
        ("Load text encoders", [roles[role].title for role in missing if role in family.encoders]),
        ("Load VAE", [roles[role].title for role in missing if role == "vae"]),
    )
    told = ", ".join(f"its {' and '.join(titles)} with {node}" for node, titles in nodes if titles)
    return f"; load it with Load denoiser, and beside it {told}"


def _check_tokenizers(encoders: Iterable[Part]) -> None:
    for encoder in encoders:
        kind = KINDS[encoder.spec.tokenizer.kind] if encoder.spec.tokenizer else None
        if kind and (encoder.place.is_dir() or not kind.shipped):  # a file's is the program's own
            kind.check(encoder.tokenizer_folder(), num_tokens(encoder.settings()))


def _model(found: Found, family: Family, network: Network) -> Model:
    denoiser = settings(network)
    if complaint := family.complaint(denoiser):
        raise ValueError(f"{found.place} cannot be run: {complaint}")
    native_size = family.native_size(denoiser)
    if native_size > MAX_NATIVE:
        raise ValueError(
            f"the {network.role} of {found.place}: sample_size {denoiser['sample_size']} means pictures of "
            f"{native_size:,} pixels a side; {MAX_NATIVE:,} is the most"
        )
    folder = settings_folder(found.place)
    scheduler = folder / "scheduler" / "scheduler_config.json" if folder else None
    if scheduler and not scheduler.is_file() and folder != found.place:
        scheduler = None
    around = _around(found.place)
    return Model(network, family.process(found, scheduler), family.space, native_size, around=around)


def _around(place: Path) -> Around:
    """What a checkpoint's folder says of a denoiser that is a part of it, where it is one."""
    folder = place if settings_folder(place) == place else place.parent
    return Around.of((folder / INDEX, folder / "scheduler" / "scheduler_config.json"))


def _vae(network: Network, model: Model) -> Vae:
    channels = vae_kinds.of(part(network).spec.architecture.library_class).channels(settings(network))
    if channels != model.space.channels:
        raise ValueError(
            f"{network.weights.path} is no VAE for this model: its latents have {channels} channels, the model takes "
            f"{model.space.channels}"
        )
    return Vae(network, model.space, model.native_size)


def _check_adapted_family(place: Path, found: Shapes, family: Family) -> None:
    """Raises ValueError when a name begins as only those of other families do."""
    ours = tuple(_adapter_prefixes(family))
    theirs = tuple({prefix for other in families.FAMILIES for prefix in _adapter_prefixes(other)} - set(ours))
    if any(name.startswith(theirs) and not name.startswith(ours) for name in found):
        raise ValueError(f"{place} is a LoRA for another family of models than this one ({family.title})")


def _adapter_prefixes(family: Family) -> Iterator[str]:
    for role in family.roles.values():
        yield from filter(None, (*role.adapter_names, *role.flat_adapter_names))
