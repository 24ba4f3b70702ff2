"""Clays are of kinds, and what is made of them goes by that."""

from typing import Any

from nodegraph.domain import Domain, Kind
from tests.toy_nodes.pots import Clay

KINDS = {
    "red": Kind("Red clay", {("toy.pot", "heat"): 900, ("toy.pot", "hours"): 8, ("toy.pot", "wheel"): "fast"}),
    "white": Kind(
        "White clay",
        {("toy.pot", "heat"): 1200, ("toy.pot", "hours"): 12, ("toy.pot", "wheel"): "slow"},
        {("toy.pot", "soak"): "White clay is not soaked"},
    ),
    "dry": Kind("Dry clay", idle={("toy.pot", ""): "Nothing is made of dry clay"}),
}


def kind(value: Any) -> Kind | None:
    return KINDS[value.of] if isinstance(value, Clay) else None


DOMAIN = Domain(kind=kind)
