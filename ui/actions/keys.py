"""Which keys do what: the defaults of the actions, a preset over them, and the user's own changes over that."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from ui.actions.table import Action, sequences

PRESETS: Mapping[str, Mapping[str, str]] = {
    "Default": {},
    "Blender-like": {
        "run.all": "F12; Ctrl+Return",
        "canvas.add": "Shift+A",
        "canvas.select_all": "A",
        "canvas.select_none": "Alt+A",
        "canvas.duplicate": "Shift+D",
        "canvas.delete": "X; Delete",
        "canvas.heal": "Ctrl+X; Ctrl+Delete",
        "canvas.cut": "",
        "canvas.connect": "F",
        "canvas.fit": ".",
        "canvas.ungroup": "Ctrl+Alt+G",
    },
    "ComfyUI-like": {
        "run.queue": "Ctrl+Return",
        "run.all": "Ctrl+Shift+Return",
        "run.selected": "Alt+Return",
        "run.stop": "Ctrl+Alt+Return; Esc",
        "canvas.mute": "Ctrl+M",
        "canvas.bypass": "Ctrl+B",
        "canvas.fold": "Alt+C",
        "canvas.frame": "Ctrl+G",
        "canvas.group": "Ctrl+Shift+E",
        "canvas.fit": ".",
        "canvas.zoom_in": "Alt+=",
        "canvas.zoom_out": "Alt+-",
    },
}
"""Keys by action id, where they differ from the defaults; empty for none."""


def bound(actions: Iterable[Action], preset: str, own: Mapping[str, str]) -> dict[str, str]:
    """The keys of every action. A preset or an action that does not exist any more is passed over."""
    chosen = PRESETS.get(preset, {})
    return {action.id: own.get(action.id, chosen.get(action.id, action.shortcut)) for action in actions}


def conflicts(keys: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """The actions that share a key with another, and the ids of those others."""
    users: defaultdict[str, list[str]] = defaultdict(list)
    for id, written in keys.items():
        for sequence in sequences(written):
            users[sequence.toString()].append(id)
    shared: defaultdict[str, list[str]] = defaultdict(list)
    for ids in users.values():
        for id in ids:
            shared[id] += [other for other in ids if other != id]
    return {id: tuple(others) for id, others in shared.items() if others}
