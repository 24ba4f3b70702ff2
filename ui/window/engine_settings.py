"""What a person prefers, as the engine is told of it."""

from __future__ import annotations

import os
from typing import Any

from nodegraph.running.engine import Settings as EngineSettings
from ui.base.settings import Preferences

GIGABYTE = 1 << 30
CACHE_VARIABLE = "DENOODLE_CACHE"


def engine_settings(now: Preferences, began_with: EngineSettings) -> dict[str, Any]:
    """What the preferences say to the engine. What they leave open is as it was started."""
    moved = CACHE_VARIABLE not in os.environ and began_with.cache is not None
    return {
        "device": now.device,
        "precision": now.precision,
        "out_dir": now.output_folder or began_with.out_dir,
        "cache": now.cache_folder if now.cache_folder and moved else began_with.cache,
        "disk_bytes": now.cache_gigabytes * GIGABYTE,
        "memory_bytes": now.memory_gigabytes * GIGABYTE or began_with.memory_bytes,
        "tells_workflow": now.carries_workflow,
        "naming": now.name_template,
    }
