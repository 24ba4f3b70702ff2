"""What is known of Ray: nothing else in the program imports it.

Ray moves what is told to workers and back by pickle, within the cluster: whoever can reach it can run code there, with
this program or without. See docs/cluster.md.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from denoodle.cluster.worker import Worker, versions
from nodegraph.running.messages import Event
from nodegraph.text import shortened

ROOT = Path(__file__).parents[2]
REACH_SECONDS, START_SECONDS, STOP_SECONDS = 5.0, 180.0, 1.5
PART = 64 << 20
"""Bytes of a file that are sent at a time."""

INSTALL = "a cluster needs Ray: install it with pip install denoodle[cluster]"


class Answer(NamedTuple):
    """What a worker made of a job; see `Worker.compute`. text: None when the worker died."""

    worker: int
    text: str | None
    data: list[bytes]


class Cluster:
    """Workers, by number. Each is an actor of Ray's that is never restarted: who is lost is replaced by another."""

    def __init__(self, ray: Any, settings: dict[str, Any], options: dict[str, Any]) -> None:
        self._ray, self._settings = ray, json.dumps(settings)
        self._make: Any = ray.remote(Worker).options(max_concurrency=4, max_restarts=0, **options)
        self._actors: dict[int, Any] = {}
        self._doing: dict[Any, int] = {}  # by what is waited for, the worker
        self._count = 0

    def hire(self) -> int:
        """Start another worker; its number."""
        self._count += 1
        self._actors[self._count] = self._make.remote(self._settings)
        return self._count

    def hello(self, worker: int) -> dict[str, Any]:
        """Who it is. Raises ValueError when it cannot start, or has other versions of what decides results."""
        try:
            told: dict[str, Any] = json.loads(self._get(self._actors[worker].hello.remote(), START_SECONDS))
        except Exception as error:
            raise ValueError(f"a worker cannot start: {_reason(error)}") from error
        for name, ours in versions().items():
            if (theirs := told["versions"][name]) != ours:
                raise ValueError(f"the worker on {told['host']} has {name} {theirs}; it must have {ours}, as here")
        return told

    def send(self, worker: int, path: Path, digest: str) -> str:
        """A file to a worker that lacks it; where it lies there. Raises OSError or ValueError."""
        size, place = path.stat().st_size, ""
        with open(path, "rb") as file:
            while not place:
                data = file.read(PART)
                last = file.tell() >= size
                call = self._actors[worker].receive.remote(digest, path.name, data, last)
                place = self._get(call, START_SECONDS)
        return place

    def begin(self, worker: int, job: str) -> None:
        self._doing[self._actors[worker].compute.remote(job)] = worker

    def answers(self, seconds: float) -> Iterator[Answer]:
        """Of those that are through by now, or within so many seconds."""
        if not self._doing:
            return
        done, _ = self._ray.wait(list(self._doing), num_returns=1, timeout=seconds)
        for call in done:
            worker = self._doing.pop(call)
            try:
                text, data = self._ray.get(call)
            except (self._ray.exceptions.RayActorError, self._ray.exceptions.WorkerCrashedError):
                del self._actors[worker]
                yield Answer(worker, None, [])
            else:
                yield Answer(worker, text, data)

    def news(self) -> list[tuple[int, list[Event]]]:
        """What happened at each worker that is at work, since the last time."""
        asked = {worker: self._actors[worker].news.remote() for worker in set(self._doing.values())}
        found: list[tuple[int, list[Event]]] = []
        for worker, call in asked.items():
            with contextlib.suppress(Exception):  # it died: the answer to its job will say so
                found.append((worker, self._get(call, REACH_SECONDS)))
        return found

    def stop(self) -> None:
        """Have everybody stop, and end who does not."""
        for worker in set(self._doing.values()):
            with contextlib.suppress(Exception):
                self._actors[worker].stop.remote()
        end = time.monotonic() + STOP_SECONDS
        while self._doing and (left := end - time.monotonic()) > 0:
            for _ in self.answers(left):
                pass
        self.close()

    def close(self) -> None:
        for actor in self._actors.values():
            with contextlib.suppress(Exception):
                self._ray.kill(actor)
        self._actors.clear()
        self._doing.clear()

    def _get(self, call: Any, seconds: float) -> Any:
        return self._ray.get(call, timeout=seconds)


@contextmanager
def joined(
    address: str, workers: int | None, gpus: float | None, settings: dict[str, Any]
) -> Generator[tuple[Cluster, int]]:
    """The cluster at an address, or one on this machine for "ray", and how many workers it is to have.

    workers: None is one for each GPU, or one. gpus: of each worker; None: one where there are any. Raises ValueError
    when Ray is not installed, or nobody answers there.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        ray: Any = import_module("ray")
    except ImportError as error:
        raise ValueError(INSTALL) from error
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
    passed = {name: os.environ[name] for name in ("OMP_NUM_THREADS", "DENOODLE_DATA") if name in os.environ}
    common: dict[str, Any] = {
        "runtime_env": {"env_vars": {"PYTHONPATH": path, **passed}},
        "log_to_driver": False,
        "logging_level": "ERROR",
    }
    try:
        if address == "ray":
            ray.init(include_dashboard=False, num_cpus=max(workers or 1, os.cpu_count() or 1), **common)
        else:
            _reach(address)
            ray.init(address=address, **common)
    except ValueError:
        raise
    except Exception as error:
        raise ValueError(f"there is no Ray cluster at {shortened(address)}: {_reason(error)}") from error
    cluster: Cluster | None = None
    try:
        there: dict[str, float] = ray.cluster_resources()
        cards = there.get("GPU", 0)
        count = workers or int(cards / (gpus or 1)) or 1
        share = gpus if gpus is not None else (1.0 if cards else 0.0)
        options = {"num_gpus": share, "num_cpus": min(1.0, there.get("CPU", 1.0) / count)}
        cluster = Cluster(ray, settings, options)
        yield cluster, count
    finally:
        if cluster:
            cluster.close()
        ray.shutdown()


def _reach(address: str) -> None:
    """Ray itself tries for half a minute. Raises ValueError when nobody answers at an address."""
    if address == "auto":
        return
    parts = urlsplit(address if "://" in address else f"ray://{address}")
    try:
        port = parts.port or 10001
        socket.create_connection((parts.hostname or "", port), REACH_SECONDS).close()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise ValueError(f"nobody answers at {shortened(address)}: {why}") from error


def _reason(error: BaseException) -> str:
    """The end of what Ray says, which is the reason."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return shortened(lines[-1] if lines else type(error).__name__)
