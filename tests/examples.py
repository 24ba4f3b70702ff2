"""How many examples a property is tried with."""

from typing import Any

from hypothesis import settings


def examples(count: int, *, daily: int = 0, **options: Any) -> settings:
    """So many in `make test-all`; in `make test`, which draws others in every run, `daily` or a third of them."""
    is_thorough = settings.get_current_profile_name() == "thorough"
    return settings(max_examples=count if is_thorough else daily or max(count // 3, min(count, 10)), **options)
