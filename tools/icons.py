"""Take drawings of Lucide into ui/icons/lucide: those that are there anew, and those that are named.

    python -m tools.icons FOLDER [NAME ...]

FOLDER: the npm package lucide-static, unpacked (`npm pack lucide-static` fetches it).
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

TARGET = Path(__file__).parents[1] / "ui" / "icons" / "lucide"


def main(source: Path, names: list[str]) -> int:
    TARGET.mkdir(parents=True, exist_ok=True)
    for name in sorted({path.stem for path in TARGET.glob("*.svg")} | set(names)):
        drawing = (source / "icons" / f"{name}.svg").read_text("utf-8")
        (TARGET / f"{name}.svg").write_text(re.sub(r"\s*\n\s*", " ", drawing).strip() + "\n", "utf-8")
    shutil.copy(source / "LICENSE", TARGET / "LICENSE")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
