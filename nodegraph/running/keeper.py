"""Who looks after the memory that calls work in: what a package of nodes may offer for that."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import is_dataclass
from functools import lru_cache
from typing import Any, Protocol, cast

from nodegraph.types import Described, NetworkId


class Results(Protocol):
    """The results that are kept from run to run."""

    def drop(self, weigh: Callable[[Any], int]) -> int:
        """Forget those in memory of which an output weighs something; what all of them weigh."""
        ...


class Keeper(Protocol):
    """Asked by the thread that computes, and by no other."""

    def begin(self, number: Callable[[], int], later: Callable[[], Iterable[NetworkId]]) -> None:
        """A run begins. number: of the call that runs, from 0. later: what the calls after it need, worked out when it
        is asked for.
        """
        ...

    def ran_out(self, error: Exception) -> None:
        """The call has failed for want of memory. Its frames still hold what they held, so this is when to measure."""
        ...

    def relieve(self, results: Results) -> bool:
        """Do the next thing that may help, after those that were done for this call; False when nothing is left.

        The failed try has let go of what it held.
        """
        ...

    def shortage(self) -> str:
        """What was needed and what there was, in a sentence; empty when memory was not what the call failed for."""
        ...

    def peak(self) -> int:
        """Bytes that were in use at the most while the call ran; 0 when that is not known."""
        ...

    def end(self) -> None:
        """The run is over."""
        ...

    def idle(self) -> float | None:
        """Nothing is to be done: get ready for what comes, a little at a time. The seconds until it is worth asking
        again if nothing has come by then; None: never.
        """
        ...


def networks(value: Any) -> Iterable[NetworkId]:
    """What a plain value describes, or the values in a tuple."""
    if isinstance(value, tuple):
        for part in cast("tuple[Any, ...]", value):
            yield from networks(part)
    elif _describes(cast("type[Any]", type(value))):
        yield from cast(Described, value).networks


@lru_cache(maxsize=1000)
def _describes(kind: type[Any]) -> bool:
    return is_dataclass(kind) and hasattr(kind, "networks")
