"""What importing modules of the window costs beside running them."""

import linecache
import sys
from importlib import import_module
from pathlib import Path

import pytest


def test_nobody_reads_the_source_of_a_module_that_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import_module("ui")
    name = "imported_for_a_test"
    place = tmp_path / f"{name}.py"
    place.write_text("NUMBER = 7\n", "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    try:
        exec(f"import {name}")  # by a statement, which PySide's hook sees
        assert str(place) not in linecache.cache
    finally:
        sys.modules.pop(name, None)
