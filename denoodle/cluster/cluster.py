"""What is known of Ray: nothing else in the program imports it.

Ray moves what is told to workers and back by pickle, within the cluster: whoever can reach it can run code there, with
this program or without. See docs/cluster.md.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import socket
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from denoodle.cluster.driver import Answer
from denoodle.cluster.worker import Worker
from nodegraph.text import shortened

ROOT = Path(__file__).parents[2]
REACH_SECONDS, SEND_SECONDS, STOP_SECONDS, END_SECONDS = 5.0, 180.0, 1.2, 0.5

TOKEN = Path.home() / ".ray" / "auth_token"
"""Where Ray keeps what a cluster wants to be shown; it is Ray that reads it."""

INSTALL = "a cluster needs Ray: install it with pip install denoodle[cluster]"


class Cluster:
    """Workers, by number. Each is an actor of Ray's that is never restarted: who is lost is replaced by another."""

    def __init__(self, ray: Any, settings: dict[str, Any], options: dict[str, Any]) -> None:
        self._ray, self._settings = ray, json.dumps(settings)
        self._make: Any = ray.remote(Worker).options(max_concurrency=4, max_restarts=0, **options)
        self._actors: dict[int, Any] = {}
        self._doing: dict[Any, int] = {}  # by what is waited for, the worker
        self._asked: dict[Any, int] = {}  # the same of news
        self._greeted: dict[int, Any] = {}  # by worker, what is waited for
        self._count = 0

    def hire(self) -> int:
        self._count += 1
        actor = self._actors[self._count] = self._make.remote(self._settings)
        self._greeted[self._count] = actor.hello.remote()
        return self._count

    def hello(self, worker: int, seconds: float) -> dict[str, Any] | None:
        call = self._greeted[worker]
        if not self._ray.wait([call], timeout=seconds)[0]:
            return None
        try:
            return json.loads(self._ray.get(call))
        except Exception as error:
            raise ValueError(f"a worker cannot start: {_reason(error)}") from error

    def dismiss(self, worker: int) -> None:
        with contextlib.suppress(Exception):
            self._ray.kill(self._actors.pop(worker))

    def find(self, worker: int, wanted: str) -> str:
        return self._get(self._actors[worker].find.remote(wanted), SEND_SECONDS)

    def send(self, worker: int, wanted: str, part: str, data: bytes, last: bool) -> None:
        self._get(self._actors[worker].receive.remote(wanted, part, data, last), SEND_SECONDS)

    def keep(self, worker: int, wanted: str) -> str:
        return self._get(self._actors[worker].keep.remote(wanted), SEND_SECONDS)

    def begin(self, worker: int, job: str) -> None:
        self._doing[self._actors[worker].compute.remote(job)] = worker

    def answers(self, seconds: float) -> Iterator[Answer]:
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

    def news(self) -> list[str]:
        """What has come by now; who is deep in native code answers later, and nobody waits for that."""
        calls: list[Any] = list(self._asked)
        done: list[Any] = self._ray.wait(calls, num_returns=len(calls), timeout=0)[0] if calls else []
        found: list[str] = []
        for call in done:
            del self._asked[call]
            with contextlib.suppress(Exception):  # it died: the answer to its job will say so
                found += self._ray.get(call)
        for worker in set(self._doing.values()) - set(self._asked.values()):
            self._asked[self._actors[worker].news.remote()] = worker
        return found

    def stop(self) -> None:
        for actor in self._actors.values():
            with contextlib.suppress(Exception):
                actor.stop.remote()
        end = time.monotonic() + STOP_SECONDS
        while self._doing and (left := end - time.monotonic()) > 0:
            for _ in self.answers(left):
                pass
        self.close()

    def close(self) -> None:
        """Results that are still to be written are, within a second."""
        ending = [actor.end.remote() for actor in self._actors.values()]
        with contextlib.suppress(Exception):
            self._ray.wait(ending, num_returns=len(ending), timeout=END_SECONDS)
        for actor in self._actors.values():
            with contextlib.suppress(Exception):
                self._ray.kill(actor)
        self._actors, self._doing, self._asked = {}, {}, {}

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
    if address != "ray" and TOKEN.exists():  # as Ray itself does where it does not go through a client port
        os.environ.setdefault("RAY_AUTH_MODE", "token")
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
        count, share, cores = checked(workers, gpus, ray.cluster_resources())
        cluster = Cluster(ray, settings, {"num_gpus": share, "num_cpus": cores})
        yield cluster, count
    finally:
        if cluster:
            cluster.close()
        ray.shutdown()


def checked(workers: int | None, gpus: float | None, there: Mapping[str, float]) -> tuple[int, float, float]:
    """How many workers, and the GPUs and processor cores of each. there: what the cluster has, as Ray counts it.

    Raises ValueError where Ray would wait forever for more.
    """
    if gpus is not None and not (0 <= gpus <= 1 or (gpus > 1 and gpus.is_integer())):
        raise ValueError(f"--worker-gpus must be a share such as 0.5, or 0, 1, 2, ..., got {gpus:g}")
    cards = there.get("GPU", 0.0)
    share = gpus if gpus is not None else 1.0 if cards else 0.0
    count = workers or (math.floor(cards / share + 1e-6) if share else 0) or 1
    if count * share > cards + 1e-6:
        told = f"{count} worker{'' if count == 1 else 's'} with {share:g} GPU{'' if share == 1 else 's'} each"
        need = f"need{'s' if count == 1 else ''} {count * share:g} GPUs"
        raise ValueError(f"{told} {need}; the cluster has {cards:g}")
    return count, share, min(1.0, there.get("CPU", 1.0) / count)


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
