"""Which background a picture has: the one, of all that there are, that its border is nearest to."""

from functools import cache
from itertools import permutations
from typing import cast

import numpy as np
import torch
from torch import Tensor

from tools.starter.compose import backdrop, to_tensor
from tools.starter.concepts import BACKGROUNDS, SCENERIES
from tools.starter.measure import border
from tools.starter.scene import gradient

DRAWN = 24  # sceneries differ from draw to draw: their mean is compared


def all_backdrops() -> tuple[str, ...]:
    """Ten colours, ninety gradients and eight sceneries."""
    return (*BACKGROUNDS, *(gradient(*pair) for pair in permutations(BACKGROUNDS, 2)), *SCENERIES)


@cache
def mean_borders() -> Tensor:
    """The borders of all backdrops, averaged over some draws of each, [backdrops, 3 * pixels] in [0, 1]."""
    means = []
    for number, name in enumerate(all_backdrops()):
        drawn = [np.asarray(backdrop(name, np.random.default_rng((number, i)))) for i in range(DRAWN)]
        means.append(border(to_tensor(drawn) / 2 + 0.5).mean(0).flatten())
    return torch.stack(means)


def guesses(images: Tensor) -> list[str]:
    """The backdrop of each picture, of images [pictures, 3, 128, 128] in [0, 1]."""
    # Absolute differences: a thing that reaches into the border covers little of it, but differs much.
    nearest = torch.cdist(border(images).flatten(1), mean_borders(), p=1).argmin(1)
    numbers = cast("list[int]", nearest.tolist())
    return [all_backdrops()[number] for number in numbers]
