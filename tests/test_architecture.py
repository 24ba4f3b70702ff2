"""Who may import whom: the table of the design, walked."""

import ast
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

from nodegraph.formats.package import discover
from tests.architecture import Floors, complaints, nodes, read
from tests.examples import each

ROOT = Path(__file__).parents[1]
HEAVY = {
    "torch",
    "diffusers",
    "transformers",
    "peft",
    "accelerate",
    "numpy",
    "PIL",
    "safetensors",
    "scipy",
    "networkx",
    "gguf",
}
STDLIB = set(sys.stdlib_module_names)


FLOORS: dict[str, Floors] = {
    "ui": (
        ("ui.base",),
        ("ui.widgets",),
        ("ui.actions", "ui.documents"),
        ("ui.runs",),
        ("ui.shelves",),
        ("ui.canvas.scene",),
        ("ui.canvas.paint",),
        ("ui.canvas.overlays", "ui.panels"),
        ("ui.canvas.commands", "ui.app_view"),
        ("ui.canvas.gestures",),
        ("ui.canvas",),
        ("ui.window",),
    ),
    "nodegraph": (
        ("nodegraph",),
        ("nodegraph.formats", "nodegraph.planning"),
        ("nodegraph.editing", "nodegraph.library", "nodegraph.running"),
        ("nodegraph.sweeping",),
    ),
    "nodes": (("values",), ("nodes.backend",), ("nodes",)),
}
"""By package, its rooms from the ground up: a room knows only those on the floors below it. decisions/0023 says why."""

MEANT = {
    "nodes.types": "values.types",  # what travels on links: declarations and numerics both stand on it
    "nodes.fit": "nodes.backend.fit",  # what goes together: a part of the numerics that planning can do without torch
}
"""Modules of another room than the folder they are in says."""


def meant(module: str) -> str:
    """The numerics are one room, in which nothing but the order of modules says what stands on what."""
    module = MEANT.get(module, module)
    within = module.removeprefix("nodes.backend.")
    return f"nodes.backend.{within.replace('.', '_')}" if within != module else module


@pytest.mark.parametrize("package", FLOORS)
def test_rooms_know_only_the_floors_below_them_and_modules_make_no_circle(package: str):
    modules = read(ROOT, package)
    placed = {meant(name): frozenset(map(meant, targets)) for name, targets in modules.items()}
    assert complaints(placed, FLOORS[package]) == []


def files(package: str) -> list[Path]:
    return sorted(p for p in (ROOT / package).rglob("*.py"))


@cache
def imports(path: Path, *, module_level: bool) -> frozenset[str]:
    """Imported module names; with module_level, only those that run on import."""
    return frozenset(_imports(path, module_level))


def _imports(path: Path, module_level: bool) -> Iterator[str]:
    for node in _module_nodes(nodes(path)[0]) if module_level else nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield node.module or ""


def _module_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes that run on import: not those in functions, nor under `if TYPE_CHECKING`."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from _module_nodes(child)


def top(name: str) -> str:
    return name.split(".", 1)[0]


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def wrong(paths: Iterable[Path], found: Callable[[Path], Collection[str]]) -> dict[str, list[str]]:
    """What is found in those files in which anything is found."""
    return {path.relative_to(ROOT).as_posix(): sorted(names) for path in paths if (names := found(path))}


def test_nodegraph_imports_the_standard_library_alone():
    def outside(path: Path, *, module_level: bool) -> set[str]:
        return {m for m in imports(path, module_level=module_level) if top(m) not in STDLIB | {"nodegraph"}}

    assert wrong(files("nodegraph"), lambda path: outside(path, module_level=True)) == {}
    inside = wrong(files("nodegraph"), lambda path: {top(m) for m in outside(path, module_level=False)} - {"networkx"})
    assert inside == {}


def test_node_declarations_import_nothing_heavy():
    def heavy(path: Path) -> set[str]:
        found = imports(path, module_level=True)
        outside = {m for m in found if top(m) not in STDLIB | {"nodegraph", "nodes"}}
        return outside | {m for m in found if within(m, "nodes.backend")} - TORCH_FREE

    assert wrong((ROOT / "nodes").glob("*.py"), heavy) == {}


TORCH_FREE = {
    "nodes.backend.beside",
    "nodes.backend.checkpoints",
    "nodes.backend.families",
    "nodes.backend.hub",
    "nodes.backend.kinds",
    "nodes.backend.labels",
    "nodes.backend.parts",
    "nodes.backend.process",
    "nodes.backend.schedules",
    "nodes.backend.solvers",
}
"""Backend modules that planning uses, so the editor process imports them."""

COMPUTING = ("_calls.py", "masked.py")
"""How the names of modules end that lie beside the families and are imported inside methods."""


@each("name", sorted(TORCH_FREE))
def test_what_planning_uses_is_free_of_torch(name: str):
    path = ROOT / name.replace(".", "/")
    for file in path.glob("*.py") if path.is_dir() else [path.with_suffix(".py")]:
        if not file.name.endswith(COMPUTING):
            assert not {top(m) for m in imports(file, module_level=True)} & HEAVY


def test_the_backend_knows_neither_graph_nor_window():
    # What they share: Picture, which a preview is; what makes a text fit to be handed on; where the program lies; how a
    # file is written whole; how it is said that something is missing which a person can get; what a file is told to be.
    shared = {"nodegraph." + name for name in ("types", "text", "program", "formats.files", "failure", "domain")}

    def above(path: Path) -> set[str]:
        return {m for m in imports(path, module_level=False) if top(m) in {"nodegraph", "ui", "PySide6"}} - shared

    assert wrong(files("nodes/backend"), above) == {}


def test_the_editor_imports_no_node_and_no_torch():
    known = STDLIB | {"nodegraph", "ui", "PySide6", "shiboken6"}
    assert wrong(files("ui"), lambda path: {top(m) for m in imports(path, module_level=False)} - known) == {}


@pytest.mark.parametrize("name", ["main.py", "denoodle/__main__.py"])
def test_the_front_door_imports_inside_its_functions(name: str):
    # The engine process imports the file again that started the program: what stands at its top is paid there too.
    names = {top(m) for m in imports(ROOT / name, module_level=True)}
    assert not names & ({"nodegraph", "nodes", "ui", "PySide6"} | HEAVY)


DOMAIN_WORDS = re.compile(
    r"guidance_scale|(?<![a-z])(?:unet|vae|lora|sigma|latent|denois|timestep|conditioning|embeds|noise|checkpoint"
    r"|diffus|solver)[a-z]*"
)
"""What the nodes are for is theirs to say (`nodegraph.domain`); their type ids come on top."""

SPOKEN_OF = {
    "ui/window/help.py": {"diffusion"},  # the program's name for what it is
    "nodegraph/editing/assign.py": {"noise"},  # an example for people
    "nodegraph/formats/foreign.py": {"diffusers"},  # files of other programs, by what they call themselves
}
"""Texts in which a word of the domain is meant."""


def code_words(path: Path) -> Iterator[str]:
    """The names and the texts in a file's code. Not its docstrings: an example from the domain explains best."""
    docs = {id(node.value) for node in nodes(path) if isinstance(node, ast.Expr)}
    for node in nodes(path):
        match node:
            case ast.Constant(value=str(text)) if id(node) not in docs:
                yield text
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) | ast.keyword(arg=str(name)):
                yield name
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case _:
                pass


def test_the_editor_and_the_core_have_no_word_for_what_the_nodes_do():
    def words(path: Path) -> set[str]:
        text = "\n".join({*code_words(path)})
        found = {*DOMAIN_WORDS.findall(text.lower()), *node_ids(text)}
        return found - SPOKEN_OF.get(path.relative_to(ROOT).as_posix(), set())

    assert wrong([*files("ui"), *files("nodegraph")], words) == {}


@cache
def domain_ids() -> frozenset[str]:
    return frozenset(id for id, type in discover("nodes").items() if type.fn.__module__.startswith("nodes."))


def node_ids(text: str) -> set[str]:
    return {id for id in domain_ids() if id in text}
