"""The folder of journals at the start of the program: what may be recovered, and what killed processes left there.

What comes back of a journal that may be read is for the session to say.
"""

from __future__ import annotations

import os
from pathlib import Path

from nodegraph.formats.files import remove_leftovers, said_to_be, set_aside
from ui.base.lock import lock
from ui.documents.journal import MOST_TRIES, TRIES, count_try, forget_tries
from ui.documents.versions import History

JOURNAL, LOCK = ".journal", ".lock"  # how names end


def journals_in(folder: Path) -> tuple[Path, ...]:
    """The one that was written last comes last."""
    return tuple(sorted(folder.glob(f"*{JOURNAL}"), key=_written))


def lock_of(journal: Path) -> Path:
    """The file that says whether an instance of the program uses a journal."""
    return Path(f"{journal}{LOCK}")


def count_tries(folder: Path) -> tuple[list[Path], list[str]]:
    """Count one more try to recover each journal: those that may be, and what was set aside, as sentences."""
    tried: list[Path] = []
    complaints: list[str] = []
    for path in journals_in(folder):
        held = lock(lock_of(path))
        if held is None:
            continue  # another instance has it
        if count_try(path) > MOST_TRIES:
            aside = said_to_be(set_aside(path))
            complaints.append(f"A document could not be recovered in {MOST_TRIES} tries; {aside}")
            forget_tries(path)
        else:
            tried.append(path)
        held.unlock()
    return tried, complaints


def clean_journals(folder: Path) -> None:
    """Delete what is half-written, and what stands beside journals that are gone, or never came to be."""
    remove_leftovers(folder)
    for file in folder.glob(f"*{JOURNAL}{LOCK}"):
        if not file.with_suffix("").exists() and (left := lock(file)):
            left.unlock()
    for file in folder.glob(f"*{TRIES}"):
        if not (path := file.with_suffix(JOURNAL)).exists():
            forget_tries(path)


def clean_saves(file: Path, history: History) -> None:
    """Delete what was left half-written when the program was killed while it saved a document."""
    place = Path(os.path.realpath(file))  # saving goes through links
    remove_leftovers(place.parent, place.name)
    history.clean()


def _written(file: Path) -> float:
    """When, in seconds since 1970; 0 for a file that another instance has just removed, or that cannot be looked at."""
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0
