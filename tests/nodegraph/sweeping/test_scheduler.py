"""Every cell is done once by somebody, whoever dies; and nobody loads more than it must."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodegraph.sweeping.scheduler import TRIES, Scheduler
from tools.cluster_sim import Case, simulated


@given(
    st.lists(st.integers(0, 4), max_size=60).map(sorted), st.integers(1, 12), st.integers(0, 2**31), st.floats(0, 0.3)
)
def test_every_cell_is_done_once_or_given_up_after_two_deaths(needs: list[int], workers: int, seed: int, dying: float):
    chance, scheduler = random.Random(seed), Scheduler(needs, workers)
    done: Counter[int] = Counter()
    deaths: Counter[int] = Counter()
    given_up: set[int] = set()
    doing = dict.fromkeys(range(workers))
    fresh = workers
    while doing:
        worker = chance.choice(list(doing))
        if (item := doing.pop(worker)) is not None:
            if chance.random() < dying:
                deaths[item.number] += 1
                lost = scheduler.lost(worker)
                given_up |= {lost.number} if lost else set()
                fresh, worker = fresh + 1, fresh
            else:
                done[item.number] += 1
        following = scheduler.next(worker)
        if following is not None:
            doing[worker] = following
        elif scheduler.left and not doing:  # what is left is not worth a load; the last one does it all the same
            doing[f"late {fresh}"] = scheduler.next(f"late {fresh}")
            fresh += 1
            if doing[f"late {fresh - 1}"] is None:
                break
    assert set(done) | given_up == set(range(len(needs)))
    assert set(done.values()) <= {1}
    assert all(deaths[number] >= TRIES for number in given_up)
    assert scheduler.left == 0


def test_a_worker_goes_along_neighbours_and_takes_half_of_the_longest_when_it_is_through():
    scheduler = Scheduler(["a"] * 100, 2)
    assert [scheduler.next("slow").number for _ in range(2)] == [0, 1]
    fast = [scheduler.next("fast").number for _ in range(51)]
    assert fast[:50] == list(range(50, 100))
    assert fast[50] == 26  # of 2 to 49, the second half


def test_what_needs_what_the_worker_has_comes_before_what_is_longer():
    scheduler = Scheduler(["a"] * 10 + ["b"] * 10 + ["c"] * 1000, 102)  # ten a stretch
    first = scheduler.next("one")
    assert first.needs == "a"
    others = {scheduler.next(f"w{i}").needs for i in range(101)}
    assert others == {"b", "c"}
    assert [scheduler.next("one").needs for _ in range(9)] == ["a"] * 9
    assert scheduler.next("one") is None  # nine cells of another are not worth a load


@pytest.mark.parametrize(
    "case",
    [Case(200, 20_000, 10), Case(50, 5_000, 10, even=False), Case(20, 5_000, 60), Case(50, 5_000, 5, deaths=0.002)],
)
def test_in_a_simulated_cluster_hardly_anybody_waits_or_loads_in_vain(case: Case):
    out = simulated(case)
    assert out.done + out.given_up == case.cells
    assert out.idle <= 0.03
    assert out.loads <= 1.2 * out.least
