"""The pages lead where they say."""

import re
from pathlib import Path

from tests.examples import each

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path
    for folder in (ROOT, ROOT / "docs", ROOT / "docs" / "decisions", ROOT / "models" / "starter")
    for path in folder.glob("*.md")
)
LINK = re.compile(r"\]\(([^)#:]+?)(?:#[^)]*)?\)")


@each("page", PAGES)
def test_what_a_page_links_to_is_there(page: Path):
    targets = [page.parent / target for target in LINK.findall(page.read_text("utf-8"))]
    assert not [str(target) for target in targets if not target.exists()]


def test_the_index_lists_every_decision():
    folder = ROOT / "docs" / "decisions"
    listed = LINK.findall((folder / "README.md").read_text("utf-8"))
    assert listed == sorted(path.name for path in folder.glob("0*.md"))
