"""Figures about generated pictures: is the background the named colour, and is the thing the named noun?

A picture is compared with every training drawing, drawn on the same background at many sizes and offsets, pixel by
pixel at 32x32. No learned feature decides, nothing has to be cut out, and a drawing of another artist can be put
through the same comparison to tell what a right picture scores. The second comparison sees only where lightness
changes, and by how much relative to the rest of the picture: it is blind to colour.
"""

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from tools.starter.compose import Sprites
from tools.starter.concepts import BACKGROUNDS, Concept

SIZE = 32
SPRITE_SIZES = (23, 24, 25, 26, 27, 28)  # at 32 pixels what the composer draws at 64
OFFSETS = range(-2, 3)
BORDER = 3  # pixels at 64x64
LIGHTNESS = torch.tensor([0.299, 0.587, 0.114])


@dataclass(frozen=True)
class Drawings:
    """Sprites at all sizes and offsets: colours times opacity, opacity, and which concept each shows.

    premultiplied: [drawings, 3, 32, 32] in [0, 1]; opacity: [drawings, 1, 32, 32]; concept: [drawings].
    """

    premultiplied: Tensor
    opacity: Tensor
    concept: Tensor

    def on(self, colour: Tensor) -> Tensor:
        """All drawings on one colour [3], as [drawings, 3, 32, 32]."""
        return self.premultiplied + (1 - self.opacity) * colour[:, None, None]


def place_drawings(sprites: Sprites, concepts: tuple[Concept, ...], centred: bool = False) -> Drawings:
    """The sprites of the concepts at every size and offset, or once each, at the middle size in the centre."""
    sizes = (SPRITE_SIZES[len(SPRITE_SIZES) // 2],) if centred else SPRITE_SIZES
    offsets = (0,) if centred else OFFSETS
    words = {concept.icon: index for index, concept in enumerate(concepts)}
    canvases, numbers = [], []
    for name, pixels in sprites.items():
        for size in sizes:
            small = Image.fromarray(pixels.numpy())
            small.thumbnail((size, size), Image.Resampling.LANCZOS)
            for left in offsets:
                for top in offsets:
                    canvas = Image.new("RGBA", (SIZE, SIZE))
                    canvas.paste(small, ((SIZE - small.width) // 2 + left, (SIZE - small.height) // 2 + top))
                    canvases.append(np.array(canvas))
                    numbers.append(words[name.split("/")[-1]])
    rgba = torch.from_numpy(np.stack(canvases)).permute(0, 3, 1, 2).float() / 255
    return Drawings(rgba[:, :3] * rgba[:, 3:], rgba[:, 3:], torch.tensor(numbers))


def named_colours() -> Tensor:
    """The backgrounds' colours [10, 3] in [0, 1]."""
    return torch.tensor(list(BACKGROUNDS.values())).float() / 255


def border_colour(images: Tensor) -> Tensor:
    """Median colour [pictures, 3] of the outermost pixels of images [pictures, 3, 64, 64]."""
    inner = torch.zeros(images.shape[-2:], dtype=torch.bool)
    inner[BORDER:-BORDER, BORDER:-BORDER] = True
    return images[:, :, ~inner].median(-1).values


def background_guesses(images: Tensor) -> Tensor:
    """Which named background the border of each picture is nearest to, [pictures]."""
    return torch.cdist(border_colour(images), named_colours()).argmin(1)


def colour_distances(images: Tensor, drawings: Tensor) -> Tensor:
    """Root mean squared difference [pictures, drawings] of pictures and drawings, both [n, 3, 32, 32] in [0, 1]."""
    return torch.cdist(images.flatten(1), drawings.flatten(1)) / (3 * SIZE * SIZE) ** 0.5


def outline_distances(images: Tensor, drawings: Tensor) -> Tensor:
    """1 - cosine [pictures, drawings] between the magnitudes of the lightness gradient."""
    return 1 - outlines(images) @ outlines(drawings).T


def outlines(images: Tensor) -> Tensor:
    """Magnitude of the lightness gradient of [n, 3, 32, 32], flat and of unit length."""
    lightness = (images * LIGHTNESS[:, None, None]).sum(1)
    across = lightness.diff(dim=2)[:, :-1]
    down = lightness.diff(dim=1)[:, :, :-1]
    magnitude = (across.square() + down.square()).sqrt().flatten(1)
    return magnitude / magnitude.norm(dim=1, keepdim=True).clamp(min=1e-6)


@dataclass(frozen=True)
class Retrieval:
    """Ranks (0 = best) of the right concept in both comparisons, and the distance to the nearest drawing of any."""

    colour_rank: Tensor
    outline_rank: Tensor
    nearest: Tensor

    def figures(self) -> dict[str, float]:
        """Shares and distances, for the report."""
        return {
            "noun_top1": float((self.colour_rank == 0).float().mean()),
            "noun_top5": float((self.colour_rank < 5).float().mean()),
            "noun_top1_blind_to_colour": float((self.outline_rank == 0).float().mean()),
            "noun_top5_blind_to_colour": float((self.outline_rank < 5).float().mean()),
            "nearest_training_drawing_rmse_median": float(self.nearest.median()),
            "nearest_training_drawing_rmse_min": float(self.nearest.min()),
        }


def retrieve(images: Tensor, wanted: Tensor, backgrounds: Tensor, drawings: Drawings) -> Retrieval:
    """Looks pictures [pictures, 3, 64, 64] in [0, 1] up among the drawings.

    wanted: the concept's number in each picture; backgrounds: the number of its named background.
    """
    small = torch.nn.functional.avg_pool2d(images, images.shape[-1] // SIZE)
    colour_rank, outline_rank = torch.empty(len(images)), torch.empty(len(images))
    nearest = torch.empty(len(images))
    for number, colour in enumerate(named_colours()):
        rows = (backgrounds == number).nonzero()[:, 0]
        if len(rows) == 0:
            continue
        candidates = drawings.on(colour)
        by_colour = colour_distances(small[rows], candidates)
        colour_rank[rows] = rank_of(by_colour, drawings.concept, wanted[rows])
        outline_rank[rows] = rank_of(outline_distances(small[rows], candidates), drawings.concept, wanted[rows])
        nearest[rows] = by_colour.min(1).values
    return Retrieval(colour_rank, outline_rank, nearest)


def rank_of(distances: Tensor, concept: Tensor, wanted: Tensor) -> Tensor:
    """How many other concepts have a nearer drawing than the wanted one has."""
    count = int(concept.max()) + 1
    best = torch.stack([distances[:, concept == number].min(1).values for number in range(count)], 1)
    return (best < best.gather(1, wanted[:, None])).sum(1).float()
