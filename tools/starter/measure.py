"""Figures about generated pictures: is the thing the named noun, in the named colour, on the named background?

A picture is compared with every training drawing, in every colour that training shows it in, drawn on the same
background at many sizes and offsets, pixel by pixel at 32x32. No learned feature decides, nothing has to be cut out,
and a drawing of another artist can be put through the same comparison to tell what a right picture scores. The second
comparison sees only where lightness changes, and by how much relative to the rest of the picture: it is blind to
colour.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image
from torch import Tensor

from tools.starter.compose import Sprites, paste, recolour
from tools.starter.concepts import BACKGROUNDS, HUES, Concept

SIZE = 32
BORDER = 6  # pixels at 128x128
LIGHTNESS = torch.tensor([0.299, 0.587, 0.114])
COLOURS = (None, *HUES)  # a drawing's own colours first


@dataclass(frozen=True)
class Spot:
    """Where a drawing may be in a 32x32 view: its centre, its longer sides, how far off it may be each way."""

    centre: tuple[int, int]
    sides: tuple[int, ...]
    slack: int


WHOLE = Spot((16, 16), (21, 23, 25, 27), 2)  # a picture at a quarter of its size, one thing in the middle
PART = Spot((16, 16), (25, 27, 29), 2)  # 64x64 pixels around one of several things, at half their size


@dataclass(frozen=True)
class Drawings:
    """Drawings at all their places; uint8 rgba [drawings, 4, 32, 32].

    concept, colour (in COLOURS) and pack (in `packs`): what each shows, [drawings].
    """

    rgba: Tensor
    concept: Tensor
    colour: Tensor
    pack: Tensor
    packs: tuple[str, ...]

    @property
    def opacity(self) -> Tensor:
        """[drawings, 1, 32, 32] in [0, 1]."""
        return self.rgba[:, 3:].float() / 255

    @property
    def premultiplied(self) -> Tensor:
        """Colour times opacity, [drawings, 3, 32, 32] in [0, 1]."""
        return self.rgba[:, :3].float() / 255 * self.opacity

    def on(self, background: Tensor) -> Tensor:
        """All drawings on one colour [3], as [drawings, 3, 32, 32] in [0, 1]."""
        return self.premultiplied + (1 - self.opacity) * background[:, None, None]

    def to(self, device: torch.device) -> "Drawings":
        """The same on a device."""
        return Drawings(
            self.rgba.to(device), self.concept.to(device), self.colour.to(device), self.pack.to(device), self.packs
        )

    def where(self, mask: Tensor) -> "Drawings":
        """Those of a mask [drawings]."""
        return Drawings(self.rgba[mask], self.concept[mask], self.colour[mask], self.pack[mask], self.packs)


def placements(sprite: Image.Image, spot: Spot) -> np.ndarray:
    """The sprite at every size and offset of a spot, uint8 [placements, 4, 32, 32]."""
    windows = []
    for side in spot.sides:
        # Moving the view over a larger canvas moves the sprite in the view.
        canvas = Image.new("RGBA", (SIZE + 2 * spot.slack, SIZE + 2 * spot.slack))
        paste(canvas, sprite, (spot.centre[0] + spot.slack, spot.centre[1] + spot.slack), side)
        windows.append(sliding_window_view(np.array(canvas), (SIZE, SIZE), (0, 1)).reshape(-1, 4, SIZE, SIZE))
    return np.concatenate(windows)


def place_drawings(
    sprites: Sprites, concepts: tuple[Concept, ...], spot: Spot = WHOLE, centred: bool = False
) -> Drawings:
    """The sprites of the concepts in all their colours, everywhere in a spot; centred: once each, in its centre."""
    if centred:
        spot = Spot(spot.centre, (spot.sides[len(spot.sides) // 2],), 0)
    words = {concept.icon: index for index, concept in enumerate(concepts)}
    packs = tuple(dict.fromkeys(name.rpartition("/")[0] for name in sprites))
    kinds, labels = [], []
    for name in sprites:
        pack, _, icon = name.rpartition("/")
        for number, colour in enumerate(COLOURS if concepts[words[icon]].recolourable else COLOURS[:1]):
            kinds.append((name, colour))
            labels.append((words[icon], number, packs.index(pack)))

    def place(kind: tuple[str, str | None]) -> np.ndarray:
        sprite = Image.fromarray(sprites[kind[0]].numpy())
        return placements(recolour(sprite, kind[1]) if kind[1] else sprite, spot)

    with ThreadPoolExecutor() as pool:  # Pillow and numpy do most of it without the interpreter's lock
        placed = torch.from_numpy(np.concatenate(list(pool.map(place, kinds))))
    repeated = torch.tensor(labels).repeat_interleave(len(placed) // len(labels), 0)
    return Drawings(placed, repeated[:, 0], repeated[:, 1], repeated[:, 2], packs)


def named_colours() -> Tensor:
    """The backgrounds' colours [10, 3] in [0, 1]."""
    return torch.tensor(list(BACKGROUNDS.values())).float() / 255


def border(images: Tensor) -> Tensor:
    """The outermost pixels of images [pictures, 3, height, width], [pictures, 3, pixels]."""
    inner = torch.zeros(images.shape[-2:], dtype=torch.bool)
    inner[BORDER:-BORDER, BORDER:-BORDER] = True
    return images[:, :, ~inner]


def border_colour(images: Tensor) -> Tensor:
    """Median colour [pictures, 3] of the outermost pixels of images."""
    return border(images).median(-1).values


def background_guesses(images: Tensor) -> Tensor:
    """Which named background the border of each picture is nearest to, [pictures]."""
    return torch.cdist(border_colour(images), named_colours()).argmin(1)


def colour_distances(images: Tensor, backgrounds: Tensor, drawings: Drawings) -> Tensor:
    """Root mean squared difference [pictures, drawings] of pictures [n, 3, 32, 32] and drawings on their backgrounds.

    backgrounds: the colour behind each picture's drawings, [pictures, 3]. With d = picture - background and
    q = premultiplied - opacity * background it is |d - q|^2, multiplied out, so that no drawing is drawn on anything.
    """
    premultiplied, opacity = drawings.premultiplied.flatten(1), drawings.opacity.flatten(1)
    rest = images - backgrounds[:, :, None, None]
    behind = (rest * backgrounds[:, :, None, None]).sum(1).flatten(1)
    mixed = (drawings.premultiplied * drawings.opacity).sum((2, 3))
    squares = (
        rest.flatten(1).square().sum(1, keepdim=True)
        - 2 * (rest.flatten(1) @ premultiplied.T - behind @ opacity.T)
        + premultiplied.square().sum(1)
        - 2 * backgrounds @ mixed.T
        + backgrounds.square().sum(1, keepdim=True) * opacity.square().sum(1)
    )
    return (squares.clamp(min=0) / (3 * SIZE * SIZE)).sqrt()


def outline_distances(images: Tensor, backgrounds: Tensor, drawings: Drawings) -> Tensor:
    """1 - cosine [pictures, drawings] between the magnitudes of the lightness gradient."""
    distances = images.new_empty(len(images), len(drawings.rgba))
    colours = cast(Tensor, backgrounds.unique(dim=0))
    for background in colours:
        rows = (backgrounds == background).all(1)
        distances[rows] = 1 - outlines(images[rows]) @ outlines(drawings.on(background)).T
    return distances


def outlines(images: Tensor) -> Tensor:
    """Magnitude of the lightness gradient of [n, 3, 32, 32], flat and of unit length."""
    lightness = (images * LIGHTNESS.to(images.device)[:, None, None]).sum(1)
    across = lightness.diff(dim=2)[:, :-1]
    down = lightness.diff(dim=1)[:, :, :-1]
    magnitude = (across.square() + down.square()).sqrt().flatten(1)
    length = cast(Tensor, magnitude.norm(dim=1, keepdim=True))
    return magnitude / length.clamp(min=1e-6)


@dataclass(frozen=True)
class Retrieval:
    """Distances of pictures to the nearest drawing of each kind, and the concept that was asked for.

    wanted: [pictures]; by_colour: [pictures, concepts, COLOURS, packs], by_outline: the same of own colours only;
    infinite where there is no such drawing.
    """

    wanted: Tensor
    by_colour: Tensor
    by_outline: Tensor
    pack_names: tuple[str, ...]

    def nouns(self) -> Tensor:
        """The nearest drawing's concept in each picture."""
        return self.by_colour.amin((2, 3)).argmin(1)

    def colours(self) -> Tensor:
        """Which of the wanted noun's recoloured drawings is nearest, as a number in HUES."""
        return self._of_wanted()[:, 1:].amin(2).argmin(1)

    def packs(self) -> list[str]:
        """Which pack's drawing of the wanted noun is nearest."""
        numbers = cast("list[int]", self._of_wanted().amin(1).argmin(1).tolist())
        return [self.pack_names[number] for number in numbers]

    def _of_wanted(self) -> Tensor:
        return self.by_colour[torch.arange(len(self.wanted)), self.wanted]

    def figures(self) -> dict[str, float]:
        """Shares and distances, for the report."""
        colour_rank = rank_of(self.by_colour.amin((2, 3)), self.wanted)
        outline_rank = rank_of(self.by_outline.amin((2, 3)), self.wanted)
        nearest = self.by_colour.amin((1, 2, 3))
        return {
            "noun_top1": float((colour_rank == 0).float().mean()),
            "noun_top5": float((colour_rank < 5).float().mean()),
            "noun_top1_blind_to_colour": float((outline_rank == 0).float().mean()),
            "noun_top5_blind_to_colour": float((outline_rank < 5).float().mean()),
            "nearest_training_drawing_rmse_median": float(nearest.median()),
            "nearest_training_drawing_rmse_min": float(nearest.min()),
        }


def rank_of(distances: Tensor, wanted: Tensor) -> Tensor:
    """How many other concepts are nearer than the wanted one; distances: [pictures, concepts]."""
    return (distances < distances.gather(1, wanted[:, None])).sum(1)


def retrieve(images: Tensor, wanted: Tensor, backgrounds: Tensor, drawings: Drawings) -> Retrieval:
    """Looks square pictures [pictures, 3, 32 * n, 32 * n] in [0, 1] up among the drawings.

    wanted: the concept's number in each picture; backgrounds: the number of its named background. The comparison is
    made where the drawings are; its result is on the CPU.
    """
    device = drawings.rgba.device
    small = torch.nn.functional.avg_pool2d(images, images.shape[-1] // SIZE).to(device)
    colours = named_colours()[backgrounds].to(device)
    shape = (len(COLOURS), len(drawings.packs))
    by_colour, by_outline = [], []
    for concept in range(int(drawings.concept.max()) + 1):
        all_colours = drawings.where(drawings.concept == concept)
        by_colour.append(_nearest(colour_distances(small, colours, all_colours), all_colours, shape))
        own = all_colours.where(all_colours.colour == 0)
        by_outline.append(_nearest(outline_distances(small, colours, own), own, (1, shape[1])))
    return Retrieval(wanted, torch.stack(by_colour, 1).cpu(), torch.stack(by_outline, 1).cpu(), drawings.packs)


def _nearest(distances: Tensor, drawings: Drawings, shape: tuple[int, int]) -> Tensor:
    """The least of the distances [pictures, drawings] in each group, [pictures, colours, packs]."""
    groups = (drawings.colour * shape[1] + drawings.pack).expand_as(distances)
    nearest = distances.new_full((len(distances), shape[0] * shape[1]), torch.inf)
    return nearest.scatter_reduce(1, groups, distances, "amin").reshape(len(distances), *shape)
