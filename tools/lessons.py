"""The pictures of the workflows that teach, and the page that leads through them.

python -m tools.lessons [LESSON.json ...]    run them and keep their pictures (all, without a name)
python -m tools.lessons --page               write the page alone, from the notes on the canvases
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable
from pathlib import Path

from PIL import Image as Pillow

from nodegraph.builtin import NOTE
from nodegraph.formats import workflow
from nodegraph.formats.package import discover
from nodegraph.graph import Port
from nodegraph.planning.plan import plan
from nodegraph.registry import Registry
from nodegraph.running.cache import Cache
from nodegraph.running.executor import execute
from nodegraph.running.messages import Event, Failed
from nodes.backend import previews

LESSONS = Path("workflows/learn")
PAGE = Path("docs/learn.md")
SHOW = "show"  # the node whose picture stands for the lesson
WIDTH, HEIGHT = 440, 276  # pixels
BACKGROUND = "#1e1f24"
INTRODUCTION = """\
# Learn diffusion by doing it

Each workflow in `workflows/learn` shows one idea, on the small model that comes with the program: nothing has to be
downloaded, and every lesson runs in seconds on a CPU; training a LoRA takes a minute or two. Open one, press **Run**,
look at the pictures on the right, then change something. The texts below are the notes you find on the canvases.

From the command line: `python main.py run workflows/learn/04_guidance.json`.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lessons", nargs="*", type=Path)
    parser.add_argument("--page", action="store_true")
    args = parser.parse_args()
    if not args.page:
        registry = discover("nodes")
        for path in args.lessons or lessons():
            picture(path, registry).save(path.with_suffix(".png"), optimize=True)
            print(path.with_suffix(".png"), flush=True)
    PAGE.write_text(page(lessons()), "utf-8")


def lessons() -> list[Path]:
    return sorted(LESSONS.glob("*.json"))


def picture(path: Path, registry: Registry) -> Pillow.Image:
    """What the lesson shows when it has run. Raises RuntimeError when a node fails."""
    graph = workflow.load(path)
    made, cache = plan(graph, registry), Cache(1 << 30)

    def emit(event: Event) -> None:
        if isinstance(event, Failed):
            raise RuntimeError(f"{path}: {event.node}: {event.message}")

    shown = graph.links[Port(SHOW, "image")].node
    with tempfile.TemporaryDirectory() as out:
        execute(made, [shown], cache, emit, out_dir=out)
    values = cache.get(made.keys[shown])
    if values is None:
        raise RuntimeError(f"{path} did not run: {made.problems}")
    preview = previews.preview(values[0])
    return fitted(Pillow.frombytes("RGB", (preview.width, preview.height), preview.rgb))


def fitted(shown: Pillow.Image) -> Pillow.Image:
    """The picture as large as it goes in the middle of one of WIDTH x HEIGHT, in 256 colours."""
    scale = min(WIDTH / shown.width, HEIGHT / shown.height)
    inner = shown.resize((round(shown.width * scale), round(shown.height * scale)), Pillow.Resampling.LANCZOS)
    whole = Pillow.new("RGB", (WIDTH, HEIGHT), BACKGROUND)
    whole.paste(inner, ((WIDTH - inner.width) // 2, (HEIGHT - inner.height) // 2))
    return whole.quantize(256, dither=Pillow.Dither.NONE)


def page(paths: Iterable[Path]) -> str:
    """docs/learn.md: a picture and the note of every lesson."""
    return "\n".join([INTRODUCTION, *map(_section, enumerate(paths, 1))])


def _section(lesson: tuple[int, Path]) -> str:
    number, path = lesson
    note = next(node for node in workflow.load(path).nodes.values() if node.type == NOTE)
    heading, _, text = note.params["text"].partition("\n")
    image = f"../{path.with_suffix('.png').as_posix()}"
    return f"## {number}. {heading.removeprefix('# ')}\n\n![{heading.removeprefix('# ')}]({image})\n\n{text}\n"


if __name__ == "__main__":
    main()
