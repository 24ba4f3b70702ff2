"""Sections of a page of the documentation that a tool writes, between marks that nobody sees."""

from pathlib import Path

RELIABILITY = Path(__file__).parents[1] / "docs" / "reliability.md"


def marks(tool: str) -> tuple[str, str]:
    """Where the section of a tool begins and ends. tool: such as "soak", as in `make soak`."""
    return f"<!-- {tool}: written by `make {tool}` -->", f"<!-- {tool}: end -->"


def put(page: Path, tool: str, text: str) -> None:
    """Replace the section that this tool wrote last, or add it. text: Markdown."""
    begin, end = marks(tool)
    section = f"{begin}\n\n{text}\n\n{end}"
    old = page.read_text("utf-8") if page.exists() else "# Reliability\n"
    if begin in old:
        before, rest = old.split(begin, 1)
        new = before + section + rest.split(end, 1)[1]
    else:
        new = f"{old.rstrip()}\n\n## {tool.capitalize()}\n\n{section}\n"
    page.write_text(new, "utf-8")
