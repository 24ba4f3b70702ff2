"""A run that waits for its turn, as the queue lists it and keeps it. No Qt here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from nodegraph.formats import workflow
from nodegraph.formats.files import usable_path
from nodegraph.graph import Graph
from nodegraph.types import Picture

JobState = Literal["pending", "running", "done", "failed", "cancelled"]

LOWEST, HIGHEST = -1, 1
"""Priorities; what is queued has 0."""

MOST_CELLS = 1e6  # that one job stands for
FOREVER = 1e9  # seconds that no job takes


@dataclass(frozen=True, slots=True)
class Job:
    """A graph as it was when it was queued.

    fraction: 0..1 of its results. message: why it failed. saved: the files it wrote. picture: its newest result, small
    when it does not run. tag: by which whoever queued it knows it again, after a restart too. document: the name of the
    one it comes from. priority: LOWEST..HIGHEST. block: what all jobs of one sweep have in common; empty for a job of
    its own. cells: how many of its block are done, of which this is the last.
    """

    id: int
    title: str
    graph: Graph
    targets: tuple[str, ...]
    state: JobState = "pending"
    fraction: float = 0.0
    seconds: float = 0.0
    message: str = ""
    saved: tuple[str, ...] = ()
    picture: Picture | None = None
    tag: str = ""
    document: str = ""
    priority: int = 0
    block: str = ""
    cells: int = 1

    @property
    def over(self) -> bool:
        return self.state in ("done", "failed", "cancelled")


def in_order(jobs: Sequence[Job]) -> list[Job]:
    """The jobs so that those that wait stand as they will run: by priority, each block in one stretch. The others stay
    where they are.
    """
    first: dict[str, int] = {}
    for place, job in enumerate(jobs):
        if job.block and not job.over:
            first.setdefault(job.block, place)
    waiting = [(-job.priority, first.get(job.block, place), place) for place, job in enumerate(jobs) if _waits(job)]
    turns = iter(sorted(waiting))
    return [jobs[next(turns)[2]] if _waits(job) else job for job in jobs]


def fitting(jobs: Sequence[Job], first: int, last: int) -> int:
    """The priority, nearest to their own, with which the jobs from one place to another may stand where they are."""
    above = [job.priority for job in jobs[:first] if _waits(job)]
    below = [job.priority for job in jobs[last + 1 :] if _waits(job)]
    return min(max(jobs[first].priority, *below[:1], LOWEST), *above[-1:], HIGHEST)


def _waits(job: Job) -> bool:
    return job.state == "pending"


# On disk ----------------------------------------------------------------------------------------------------

_KEPT = ("title", "targets", "state", "seconds", "message", "saved", "tag", "document", "priority", "block", "cells")


def written(jobs: Sequence[Job], texts: dict[int, str]) -> bytes:
    """A file of the queue's. texts: graphs as JSON by job, which are written over and over and made once."""
    entries: list[str] = []
    for job in jobs:
        if job.id not in texts:
            texts[job.id] = json.dumps(workflow.to_data(job.graph))
        about = json.dumps({name: getattr(job, name) for name in _KEPT})
        entries.append(f'{about[:-1]}, "workflow": {texts[job.id]}}}')
    for id in texts.keys() - {job.id for job in jobs}:
        del texts[id]
    return f'{{"version": 1, "jobs": [{", ".join(entries)}]}}'.encode()


def read_jobs(data: bytes) -> list[Job]:
    """The jobs in a file of the queue's. Raises what is in UNREADABLE when it is not a queue."""
    entries = cast("list[dict[str, Any]]", json.loads(data)["jobs"])
    return [_job(number, entry) for number, entry in enumerate(entries, 1)]


def _job(id: int, entry: dict[str, Any]) -> Job:
    """What the file says of a job; one that was running waits again."""
    match entry:
        case {
            "title": str(title), "targets": [*targets], "state": str(state), "seconds": int() | float() as seconds,
            "message": str(message), "saved": [*saved], "workflow": dict(),
        } if all(isinstance(text, str) for text in (*targets, *saved)) and 0 <= seconds < FOREVER:  # fmt: skip
            state = "pending" if state == "running" else state
        case _:
            raise ValueError(f"job {id} lacks what a job has")
    if state not in get_args(JobState):
        raise ValueError(f"there is no state {state!r}")
    # What queues of earlier versions lack.
    tag, document, block = (str(entry.get(name, "")) for name in ("tag", "document", "block"))
    priority, cells = entry.get("priority", 0), entry.get("cells", 1)
    if type(priority) is not int or not LOWEST <= priority <= HIGHEST:
        raise ValueError(f"there is no priority {priority!r}")
    if type(cells) is not int or not 1 <= cells <= MOST_CELLS:
        raise ValueError(f"no job stands for {cells!r}")
    state = cast("JobState", state)
    files = tuple(str(usable_path(text)) for text in saved)
    done = float(state == "done")
    made = workflow.from_data(entry["workflow"])
    return Job(
        id, title, made, tuple(targets), state, done, float(seconds), message, files,
        tag=tag, document=document, priority=priority, block=block, cells=cells,
    )  # fmt: skip
