"""How many examples a property is tried with, and which cases of a promise are tried daily."""

from collections.abc import Collection, Iterable
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


def _slow(case: Any) -> Any:
    return pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.slow)
