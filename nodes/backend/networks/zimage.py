"""Z-Image's transformer: one stream of picture and text, each of which is refined by itself before.

Original names: Tongyi-MAI's Z-Image, as ComfyUI's files have them; Qin et al. 2025 (arXiv:2503.21758) built its blocks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from nodes.backend.fields import Each, Either, Field, Only, Real, Schema, Whole
from nodes.backend.headers import Shapes
from nodes.backend.networks import rotary
from nodes.backend.networks.architecture import (
    CHANNELS,
    EPS,
    HEADS,
    NOT_USED,
    Architecture,
    Ignored,
    Settings,
    Spellings,
    Stored,
    Tensors,
)
from nodes.backend.networks.mmdit import MOST_LAYERS, TIME_CHANNELS, Sizes, known, third
from nodes.backend.networks.rotary import NUM_AXES

PATCH = 2
"""Latent pixels a side that make a token."""

MULTIPLE = 32
"""Text and picture are each filled up to so many tokens, or a multiple of it."""

TEXT_TOKENS = 512
"""The most that a prompt may have: what the published pipeline reads."""

MOST_MODULATION = 256
TIME_HIDDEN = 1024

SETTINGS: Schema = {
    "all_patch_size": Field(Each(Only(PATCH), 1), (PATCH,)),
    "all_f_patch_size": Field(Each(Only(1), 1), (1,)),
    "in_channels": Field(CHANNELS, 16),
    "dim": Field(CHANNELS, 3840),
    "n_layers": Field(Whole(1, MOST_LAYERS), 30),
    "n_refiner_layers": Field(Whole(0, MOST_LAYERS), 2),
    "n_heads": Field(HEADS, 30),
    "n_kv_heads": Field(HEADS, 30),
    "norm_eps": Field(EPS, 1e-5),
    "qk_norm": Field(Only(True), True),
    "cap_feat_dim": Field(CHANNELS, 2560),
    "siglip_feat_dim": NOT_USED,
    "rope_theta": Field(Real(1.0, 1e9), 256.0),
    "t_scale": Field(Real(1e-3, 1e6), 1000.0),
    "axes_dims": Field(Each(Whole(2, 1024), NUM_AXES), (32, 48, 48)),
    "axes_lens": Field(Each(Whole(1, 1_000_000), NUM_AXES), (1024, 512, 512)),
}


CONTROLNET_SETTINGS: Schema = {
    "control_layers_places": Field(Either(Each(Whole(0, MOST_LAYERS), MOST_LAYERS), Only(None)), None),
    "control_refiner_layers_places": Field(Either(Each(Whole(0, MOST_LAYERS), MOST_LAYERS), Only(None)), None),
    "control_in_dim": Field(Either(CHANNELS, Only(None)), None),
    "add_control_noise_refiner": Field(Only("control_layers", "control_noise_refiner", None), None),
    **{
        name: SETTINGS[name]
        for name in (
            *("all_patch_size", "all_f_patch_size", "dim", "n_refiner_layers"),
            *("n_heads", "n_kv_heads", "norm_eps", "qk_norm"),
        )
    },
}
"""places: of the transformer's layers, after which it adds. add_control_noise_refiner: what refines the hint with the
picture before, and adds to its refiners; None: layers of its own refine the hint alone.
"""

PUBLISHED_PLACES: Mapping[int, tuple[int, ...]] = {
    3: (0, 14, 28),
    6: tuple(range(0, 30, 5)),
    15: tuple(range(0, 30, 2)),
}
"""By how many layers they have, Z-Image-Turbo-Fun-Controlnet-Union's of 2.1 lite, of 1, and of 2.0 and 2.1."""

UNION_2 = 15
"""Layers of those whose hints are refined with the picture."""

EMPTY_CHANNELS = 17
"""Of a hint, beside the latent: a mask and another latent, for completing pictures; 0 otherwise."""


def _modulation(settings: Mapping[str, Any]) -> int:
    """How wide the state is that tells of the noise level."""
    return min(settings["dim"], MOST_MODULATION)


def _shapes(settings: Settings) -> Tensors:
    tensors = Tensors()
    w, channels = settings["dim"], settings["in_channels"] * PATCH**2
    tensors["x_pad_token"] = tensors["cap_pad_token"] = (1, w)
    tensors.linear(X_EMBEDDER, channels, w)
    tensors.linear("t_embedder.mlp.0", TIME_CHANNELS, TIME_HIDDEN)
    tensors.linear("t_embedder.mlp.2", TIME_HIDDEN, _modulation(settings))
    tensors.scale("cap_embedder.0", settings["cap_feat_dim"])
    tensors.linear("cap_embedder.1", settings["cap_feat_dim"], w)
    for index in range(settings["n_refiner_layers"]):
        _block(tensors, f"noise_refiner.{index}", settings, modulated=True)
        _block(tensors, f"context_refiner.{index}", settings, modulated=False)
    for index in range(settings["n_layers"]):
        _block(tensors, f"layers.{index}", settings, modulated=True)
    tensors.linear(f"{FINAL_LAYER}.adaLN_modulation.1", _modulation(settings), w)
    tensors.linear(f"{FINAL_LAYER}.linear", w, channels)
    return tensors


def _block(tensors: Tensors, block: str, settings: Settings, *, modulated: bool) -> None:
    w = settings["dim"]
    hidden = int(w / 3 * 8)  # as the network computes it, rounding included
    for layer in (*QKV, "to_out.0"):
        tensors.linear(f"{block}.attention.{layer}", w, w, bias=False)
    for norm in ("norm_q", "norm_k"):
        tensors.scale(f"{block}.attention.{norm}", w // settings["n_heads"])
    tensors.linear(f"{block}.feed_forward.w1", w, hidden, bias=False)
    tensors.linear(f"{block}.feed_forward.w2", hidden, w, bias=False)
    tensors.linear(f"{block}.feed_forward.w3", w, hidden, bias=False)
    for norm in ("attention_norm1", "attention_norm2", "ffn_norm1", "ffn_norm2"):
        tensors.scale(f"{block}.{norm}", w)
    if modulated:
        tensors.linear(f"{block}.adaLN_modulation.0", _modulation(settings), 4 * w)


def _controlnet_shapes(settings: Settings) -> Tensors:
    tensors, w = Tensors(), settings["dim"]
    for index, place in enumerate(settings["control_layers_places"]):
        _control_block(tensors, f"control_layers.{index}", settings, is_first=place == 0)
    tensors.linear(CONTROL_EMBEDDER, settings["control_in_dim"] * PATCH**2, w)
    for index in range(settings["n_refiner_layers"]):
        match settings["add_control_noise_refiner"]:
            case "control_noise_refiner":
                _control_block(tensors, f"control_noise_refiner.{index}", settings, is_first=index == 0)
            case None:
                _block(tensors, f"control_noise_refiner.{index}", settings, modulated=True)
            case _:
                pass
    return tensors


def _control_block(tensors: Tensors, block: str, settings: Settings, *, is_first: bool) -> None:
    _block(tensors, block, settings, modulated=True)
    for layer in (*(("before_proj",) if is_first else ()), "after_proj"):
        tensors.linear(f"{block}.{layer}", settings["dim"], settings["dim"])


def _controlnet_contradictions(settings: Settings) -> Iterator[str]:
    yield from _uneven(settings)
    places, channels = settings["control_layers_places"], settings["control_in_dim"]
    if not places or not _rise(places):
        yield f"control_layers_places is {places}; it must be rising numbers, the first 0"
        return
    if channels is None:
        yield "control_in_dim is missing"
    refined, way = settings["control_refiner_layers_places"], settings["add_control_noise_refiner"]
    if way is None:
        return
    layers = len(places) if way == "control_layers" else settings["n_refiner_layers"]
    if not refined or not _rise(refined) or len(refined) > layers or refined[-1] >= settings["n_refiner_layers"]:
        yield (
            f"control_refiner_layers_places is {refined}; it must be rising numbers, the first 0, of layers below "
            f"{min(layers, settings['n_refiner_layers'])}"
        )


def _rise(places: list[int]) -> bool:
    return places[0] == 0 and all(a < b for a, b in pairwise(places))


def _contradictions(settings: Settings) -> Iterator[str]:
    w, heads, axes = settings["dim"], settings["n_heads"], settings["axes_dims"]
    yield from _uneven(settings)
    if not rotary.fits(axes, w // heads):
        yield f"axes_dims is {axes}; it must be {NUM_AXES} even numbers that add up to dim / n_heads, {w // heads}"
    lens = settings["axes_lens"]
    # The text begins at 1, and the picture comes after it.
    if len(lens) != NUM_AXES or lens[0] < TEXT_TOKENS + 2:
        yield f"axes_lens is {lens}; it must be {NUM_AXES} numbers, the first {TEXT_TOKENS + 2} or more"


def _uneven(settings: Settings) -> Iterator[str]:
    w, heads = settings["dim"], settings["n_heads"]
    if w % heads:
        yield f"dim {w} is no multiple of n_heads {heads}"
    if settings["n_kv_heads"] != heads:
        yield f"n_kv_heads is {settings['n_kv_heads']}; it must be n_heads, {heads}"


# Names in files --------------------------------------------------------------------------------------------

X_EMBEDDER, FINAL_LAYER = "all_x_embedder.2-1", "all_final_layer.2-1"
CONTROL_EMBEDDER = "control_all_x_embedder.2-1"
QKV = {"to_q": 0, "to_k": 1, "to_v": 2}
"""In which third of the original layout's one projection each is."""

ATTENTION = {"to_out.0": "out", "norm_q": "q_norm", "norm_k": "k_norm"}
INNER = re.compile(r"(.+\.attention)\.(.+)\.weight")


def _spellings(settings: Mapping[str, Any]) -> Spellings:
    w: int = settings["dim"]

    def spelled(name: str) -> tuple[Stored, ...]:
        if match := INNER.fullmatch(name):
            attention, layer = match.groups()
            if layer in QKV:
                return Stored(name), third(f"{attention}.qkv.weight", QKV[layer], w)
            return Stored(name), Stored(f"{attention}.{ATTENTION[layer]}.weight")
        for own, original in ((X_EMBEDDER, "x_embedder"), (FINAL_LAYER, "final_layer")):
            if name.startswith(f"{own}."):
                return Stored(name), Stored(original + name.removeprefix(own))
        return (Stored(name),)

    return spelled


# What a file tells -----------------------------------------------------------------------------------------


def _told(settings: Settings, found: Shapes) -> Settings:
    sizes = Sizes(_spellings(settings), found)
    w = sizes(f"{X_EMBEDDER}.weight", 0) or settings["dim"]
    head = sizes("layers.0.attention.norm_q.weight", 0) or settings["dim"] // settings["n_heads"]
    heads = w // head if not w % head else settings["n_heads"]
    channels = sizes(f"{X_EMBEDDER}.weight", 1)
    return {
        **settings,
        **known(
            in_channels=channels // PATCH**2 if channels and not channels % PATCH**2 else None,
            cap_feat_dim=sizes("cap_embedder.1.weight", 1),
        ),
        "dim": w,
        "n_heads": heads,
        "n_kv_heads": heads,
        "n_layers": sizes.count("layers.{}.attention.norm_q.weight"),
        "n_refiner_layers": sizes.count("context_refiner.{}.attention.norm_q.weight"),
        "axes_dims": rotary.shared_out(settings["axes_dims"], head, 48),
    }


def _told_controlnet(settings: Settings, found: Shapes) -> Settings:
    sizes = Sizes(_spellings(settings), found)
    w = sizes(f"{CONTROL_EMBEDDER}.weight", 0) or settings["dim"]
    head = sizes("control_layers.0.attention.norm_q.weight", 0) or settings["dim"] // settings["n_heads"]
    heads = w // head if not w % head else settings["n_heads"]
    channels = sizes(f"{CONTROL_EMBEDDER}.weight", 1)
    layers = sizes.count("control_layers.{}.attention.norm_q.weight")
    refiners = sizes.count("control_noise_refiner.{}.attention.norm_q.weight")
    way = "control_layers" if layers == UNION_2 or not refiners else None
    if REFINER_ENTRANCE in sizes:
        way = "control_noise_refiner"
    places = PUBLISHED_PLACES.get(layers)
    return {
        **settings,
        **known(control_in_dim=channels // PATCH**2 if channels and not channels % PATCH**2 else None),
        "dim": w,
        "n_heads": heads,
        "n_kv_heads": heads,
        "n_refiner_layers": refiners or settings["n_refiner_layers"],
        "control_layers_places": list(places) if places else None,
        "control_refiner_layers_places": list(range(refiners or settings["n_refiner_layers"])) if way else None,
        "add_control_noise_refiner": way,
    }


REFINER_ENTRANCE = "control_noise_refiner.0.before_proj.weight"

ARCHITECTURE = Architecture(
    "diffusers.models.transformers.transformer_z_image:ZImageTransformer2DModel",
    SETTINGS,
    _shapes,
    _spellings,
    _contradictions,
    _told,
    ignored=(Ignored(r"norm_final\.weight", "the scale of a norm that the network has not"),),
)
CONTROLNET = Architecture(
    "diffusers.models.controlnets.controlnet_z_image:ZImageControlNetModel",
    CONTROLNET_SETTINGS,
    _controlnet_shapes,
    _spellings,
    _controlnet_contradictions,
    _told_controlnet,
    ignored=(Ignored(r"control_noise_refiner\..+", "refiners that were never trained, in files of Union 2.0"),),
    untrained=(REFINER_ENTRANCE,),
)
