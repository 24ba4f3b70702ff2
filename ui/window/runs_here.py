"""Whether this machine can run a workflow now, told from what that says of its needs. No Qt here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from nodegraph.formats.needs import Need
from nodegraph.planning.fingerprints import locate
from ui.base.text import byte_size

Verdict = Literal["runs", "lacks", "too much"]


class RunsHere(NamedTuple):
    """line: a few words. lacking: what is not here. memory: what is to be said of that, as a sentence; or nothing."""

    verdict: Verdict
    line: str
    lacking: tuple[Need, ...] = ()
    memory: str = ""


RUNS = RunsHere("runs", "Runs here")


def runs_here(needs: Sequence[Need], memory: int | None) -> RunsHere:
    """memory: bytes that the machine has; None when that is not known, and then it is not what is in the way."""
    lacking = tuple(need for need in needs if locate(need.path) is None)
    taken = sum(need.memory for need in needs)
    if memory is not None and taken > memory:
        takes = f"Takes {byte_size(taken)} of memory"
        return RunsHere("too much", takes, lacking, f"{takes}; this machine has {byte_size(memory)}.")
    if lacking:
        return RunsHere("lacks", f"Needs {_named(lacking)}", lacking)
    return RUNS


def _named(lacking: Sequence[Need]) -> str:
    size = sum(need.size for need in lacking)
    what = lacking[0].what if len(lacking) == 1 else f"{len(lacking)} files"
    return f"{what}, {byte_size(size)}" if size else what


def about(needs: Sequence[Need], here: RunsHere) -> str:
    """The needs as a list in Markdown, each with where it comes from; empty without any."""
    if not needs:
        return ""
    entries = "\n".join(_entry(need, need in here.lacking) for need in needs)
    return "\n\n".join(filter(None, ("## What it needs", here.memory, entries)))


def _entry(need: Need, lacking: bool) -> str:
    taken = f"{byte_size(need.memory)} of memory" if need.memory else ""
    size = byte_size(need.size) if need.size else ""
    facts = ", ".join(filter(None, (size, taken, "not here" if lacking else "here")))
    link = need.source.startswith(("https://", "http://"))
    source = f"[{need.source.split('://', 1)[1]}]({need.source})" if link else need.source
    return f"- **{need.what}**: {facts}" + (f". From {source}" if source else "")
