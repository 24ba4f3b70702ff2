"""Set before anything imports torch, Qt or a hub library."""

import gc
import os
from collections.abc import Generator, Iterator

# Two OpenMP threads beside another process on two cores wait for each other: 17 s instead of 0.3 s. One thread also
# gives the same bits everywhere.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["QT_QPA_PLATFORM"] = "offscreen"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import pytest
from hypothesis import settings

# No time limit on an example: a busy machine is not a failure. Every run draws other examples: see tests/examples.py.
settings.register_profile("denoodle", deadline=None, max_examples=33)
settings.register_profile("thorough", deadline=None)
settings.load_profile("denoodle")


@pytest.fixture(scope="session", autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Results, settings and journals of what the tests start: in a folder of this process, never those of the user."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("CACHE", "CONFIG", "DATA", "STATE"):
            patch.setenv(f"DENOODLE_{name}", str(tmp_path_factory.mktemp(name.lower())))
        yield


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What all tests share is never garbage, and looking through it again and again takes seconds."""
    gc.disable()
    found = yield
    gc.freeze()
    gc.enable()
    gc.set_threshold(10_000, 10, 10)  # seldom: the models of session fixtures make collections long
    return found


def pytest_sessionfinish() -> None:
    """pytest looks through everything several times at its end, which takes three seconds: the process ends with it."""
    gc.freeze()
