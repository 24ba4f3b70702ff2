"""How many examples a property is tried with, and which cases of a promise are tried daily."""

import inspect
from collections.abc import Callable, Collection, Iterable
from functools import wraps
from typing import Any

import pytest
from hypothesis import settings


def examples(count: int, *, daily: int = 0, **options: Any) -> settings:
    """So many in `make test-all`; in `make test`, which draws others in every run, `daily` or a third of them."""
    is_thorough = settings.get_current_profile_name() == "thorough"
    return settings(max_examples=count if is_thorough else daily or max(count // 3, min(count, 10)), **options)


def some_slow(cases: Iterable[Any], daily: Collection[Any]) -> list[Any]:
    """Cases of one promise that go the same way through the code: `daily` in `make test`, all in `make test-all`."""
    return [case if case in daily else _slow(case) for case in cases]


def each(names: str | tuple[str, ...], cases: Iterable[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """As pytest.mark.parametrize, in one test: it tries all cases, and its failure names the one that failed.

    For cases of a promise that take microseconds: a test for each costs every process of a run milliseconds. Fixtures
    are the same for all cases.
    """
    named = [name.strip() for name in names.split(",")] if isinstance(names, str) else names
    tried = [case if len(named) > 1 else (case,) for case in cases]

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        @wraps(test)
        def tries_each(**fixtures: Any) -> None:
            for case in tried:
                given = dict(zip(named, case, strict=True))
                try:
                    test(**fixtures, **given)
                except BaseException as error:
                    error.add_note(f"where {given}")
                    raise

        signature = inspect.signature(test)
        left = [parameter for name, parameter in signature.parameters.items() if name not in named]
        vars(tries_each)["__signature__"] = signature.replace(parameters=left)  # what pytest looks for fixtures for
        return tries_each

    return decorate


def _slow(case: Any) -> Any:
    return pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.slow)
