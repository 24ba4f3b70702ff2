"""The plan of the house: which room of a package stands on which, read from every import of every file.

python -m tests.architecture [FOLDER]    count the rooms of a checkout
"""

from __future__ import annotations

import ast
import sys
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

Modules = Mapping[str, frozenset[str]]
"""What each module of a package imports of it, in functions and for annotations as well."""

Floors = Sequence[tuple[str, ...]]
"""Rooms, which are packages, from the ground up. Those of one floor do not know each other."""


def read(root: Path, package: str) -> Modules:
    """The modules of a package by their dotted names; a room's door, `__init__`, when it imports something.

    root: the folder that the package is in.
    """
    files = {_name(path.relative_to(root)): path for path in sorted((root / package).rglob("*.py"))}
    found = {name: frozenset(_targets(path, files)) - {name} for name, path in files.items()}
    return {name: targets for name, targets in found.items() if targets or not name.endswith(".__init__")}


def _name(path: Path) -> str:
    return ".".join(path.with_suffix("").parts)


def nodes(path: Path) -> tuple[ast.AST, ...]:
    """All of a file's syntax, the module first."""
    return _nodes(path.read_text("utf-8"))


@cache
def _nodes(text: str) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(text)))


def _targets(path: Path, known: Collection[str]) -> Iterator[str]:
    for node in nodes(path):
        for meant in _meanings(node):
            yield from [name for name in meant if name in known][:1]


def _meanings(node: ast.AST) -> Iterator[tuple[str, ...]]:
    """For each thing that is imported, the modules that it may be or be in, the likeliest first."""
    if isinstance(node, ast.Import):
        yield from ((alias.name, f"{alias.name}.__init__") for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        for alias in node.names:
            yield f"{node.module}.{alias.name}", node.module, f"{node.module}.__init__"


def room_of(module: str) -> str:
    return module.rpartition(".")[0]


def complaints(modules: Modules, floors: Floors) -> list[str]:
    """A sentence for every import that leads up or across, every circle of modules and every room without a floor."""
    floor = {room: number for number, rooms in enumerate(floors) for room in rooms}
    rooms = {room_of(module) for module in modules}
    found = [
        f"{room} is on no floor: give it one in tests/test_architecture.py." for room in sorted(rooms - set(floor))
    ]
    found += [f"{room} is on floor {floor[room]} and has no files." for room in sorted(set(floor) - rooms)]
    for module, targets in modules.items():
        for target in sorted(targets):
            here, there = room_of(module), room_of(target)
            if here != there and {here, there} <= floor.keys() and floor[there] >= floor[here]:
                found.append(
                    f"{_path(module)} (floor {floor[here]}) imports {_path(target)} (floor {floor[there]}): "
                    "a room knows only the rooms on the floors below it."
                )
    return found + _circle(modules)


def _path(module: str) -> str:
    return module.replace(".", "/") + ".py"


def _circle(modules: Modules) -> list[str]:
    try:
        TopologicalSorter(modules).prepare()
    except CycleError as error:
        first, *others = reversed(error.args[1])  # the sorter calls what is imported a predecessor
        way = " imports ".join(_path(module) for module in (first, *others))
        return [f"{way}: modules that import each other in a circle cannot be read, or taken out, one by one."]
    return []


# Counting -------------------------------------------------------------------------------------------------


class Count(NamedTuple):
    """arrows: pairs of rooms of which the first imports the second. floors: those that the arrows make, the rooms of a
    circle being on one. looped: what lies on a circle.
    """

    files: int
    rooms: int
    floors: int
    arrows: int
    looped_rooms: int
    looped_arrows: int
    looped_modules: int


def count(modules: Modules) -> Count:
    rooms = house(modules)
    above = reachable(rooms)
    looped = {room for room in rooms if room in above[room]}
    deep = reachable(modules)
    return Count(
        len(modules),
        len(rooms),
        len(floors_of(rooms)),
        sum(map(len, rooms.values())),
        len(looped),
        sum(room in above[target] for room, targets in rooms.items() for target in targets),
        sum(name in deep[name] for name in modules),
    )


def house(modules: Modules) -> dict[str, set[str]]:
    """The rooms, and which others each imports."""
    found: dict[str, set[str]] = defaultdict(set)
    for name, targets in modules.items():
        found[room_of(name)] |= {room_of(target) for target in targets} - {room_of(name)}
    return dict(found)


def reachable(arrows: Mapping[str, set[str] | frozenset[str]]) -> dict[str, set[str]]:
    """All that each leads to, in one step or more."""
    found: dict[str, set[str]] = {}
    for start in arrows:
        seen: set[str] = set()
        todo = [*arrows[start]]
        while todo:
            if (here := todo.pop()) not in seen:
                seen.add(here)
                todo += arrows.get(here, ())
        found[start] = seen
    return found


def floors_of(rooms: Mapping[str, set[str]]) -> list[set[str]]:
    """The rooms by floor, from the ground up: each as low as what it imports allows. Those in a circle share one."""
    leads = reachable(rooms)
    same = {room: frozenset({room, *(other for other in leads[room] if room in leads[other])}) for room in rooms}
    below: dict[frozenset[str], set[frozenset[str]]] = defaultdict(set)
    for room, targets in rooms.items():
        below[same[room]] |= {same[target] for target in targets} - {same[room]}
    height: dict[frozenset[str], int] = {}
    found: list[set[str]] = []
    for group in TopologicalSorter(below).static_order():
        height[group] = 1 + max((height[other] for other in below[group]), default=-1)
        found += [set() for _ in range(height[group] + 1 - len(found))]
        found[height[group]] |= group
    return found


def main(root: Path) -> None:
    for package in ("ui", "nodegraph", "nodes"):
        modules = read(root, package)
        print(package, count(modules))
        files = Counter(map(room_of, modules))
        for number, rooms in enumerate(floors_of(house(modules))):
            print(f"  {number}", ", ".join(f"{room} ({files[room]})" for room in sorted(rooms)))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1])
