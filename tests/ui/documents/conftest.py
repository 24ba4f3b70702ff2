"""Sessions on one folder, one start of the program after the other."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nodegraph.formats import workflow
from nodegraph.graph import Graph
from nodegraph.registry import Registry
from ui.documents.session import Session


@pytest.fixture
def start(registry: Registry, tmp_path: Path) -> Iterator[Callable[[], Session]]:
    """Starts sessions on one folder, as instances of the program do."""
    sessions: list[Session] = []

    def made() -> Session:
        sessions.append(Session(registry, tmp_path / "state"))
        return sessions[-1]

    yield made
    for session in sessions:
        session.end()


@pytest.fixture
def session(start: Callable[[], Session]) -> Session:
    return start()


@pytest.fixture
def file(graph: Graph, tmp_path: Path) -> Path:
    path = tmp_path / "work.json"
    workflow.save(graph, path)
    return path
