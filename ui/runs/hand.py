"""What takes jobs off the queue: one for each engine. The first one's engine is that of the documents as well."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from nodegraph.running.messages import Event
from ui.runs.engine import Engine


class Hand:
    """An engine, and the job that it runs; None when it runs none.

    tell: hears what becomes of the job. cancelling: a person does not want it any more. calls: the results of the job.
    finished: how many of them are there.
    """

    def __init__(self, engine: Engine, tell: Callable[[Hand, Event], None]) -> None:
        self.engine, self._tell = engine, tell
        self.job: int | None = None
        self.cancelling = False
        self.calls = self.finished = 0

    @property
    def free(self) -> bool:
        """Whether it can take a job now: the first one may be at work for a document."""
        return self.job is None and not self.engine.running

    def begin(self, job: int) -> None:
        self.job, self.cancelling = job, False
        self.calls = self.finished = 0

    def put_down(self) -> None:
        """The job is over, or waits again."""
        self.job, self.cancelling = None, False

    def take(self, event: Event) -> None:
        self._tell(self, event)


def assigned(waiting: Iterable[int], hands: Sequence[Hand]) -> list[tuple[int, Hand]]:
    """Which jobs begin now, and where: the first to the first that is free."""
    return list(zip(waiting, [hand for hand in hands if hand.free], strict=False))
