"""What is done when memory is short, and in which order: the decisions alone."""

from hypothesis import given
from hypothesis import strategies as st

from nodes.backend.room import Away, Blocks, Held, LetGo, Place, Put, Short, Smaller, State, after_failure, to_place

GB = 1 << 30

held = st.builds(
    lambda name, here, least, place, in_use, later: Held(name, place, here, 8, least, in_use, later),
    *(st.integers(0, 1000), st.integers(0, 8), st.integers(1, 8), st.sampled_from(Place), st.booleans(), st.booleans()),
)
states = st.builds(
    State,
    *(st.integers(0, 64), st.integers(0, 64), st.integers(0, 4)),
    st.lists(held, max_size=6, unique_by=lambda held: held.name).map(tuple),
    *(st.booleans(), st.booleans(), st.booleans()),
)


def after(state: State, measure: object) -> State:
    """What a measure makes of a state, when it does what it is for."""
    match measure:
        case LetGo():
            return State(state.free + state.kept, state.host, 0, state.held, state.moves, state.released, state.pieces)
        case Away(name, to):
            (gone,) = (held for held in state.held if held.name == name)
            rest = tuple(held._replace(here=0, place=to) if held is gone else held for held in state.held)
            host = state.host - (gone.whole if to is Place.HOST else 0)
            return State(state.free + gone.here, host, state.kept, rest, state.moves, state.released, state.pieces)
        case Blocks(name, _):
            (cut,) = (held for held in state.held if held.name == name)
            rest = tuple(held._replace(here=held.least) if held is cut else held for held in state.held)
            free = state.free + cut.here - cut.least
            return State(free, state.host, state.kept, rest, state.moves, state.released, state.pieces)
        case Smaller():
            return State(state.free, state.host, state.kept, state.held, state.moves, state.released, False)
    raise AssertionError(measure)


def rank(measure: object) -> int:
    return [LetGo, Away, Blocks, Smaller].index(type(measure))


@given(states, st.integers(1, 64), st.integers(0, 32))
def test_a_place_is_found_after_finitely_many_measures_in_their_order(state: State, whole: int, beside: int):
    wanted = Held("wanted", Place.FILE, 0, whole, max(1, whole // 2))
    taken: list[object] = []
    while not isinstance(step := to_place(state, wanted, beside), Put):
        assert step not in taken
        taken.append(step)
        state = after(state, step)
    assert [rank(measure) for measure in taken] == sorted(rank(measure) for measure in taken)
    fits = whole + beside <= state.free
    assert (step.place is Place.DEVICE) == (fits or not state.moves or wanted.least == whole)
    if step.place is Place.BLOCKS and wanted.least + beside <= state.free:
        assert wanted.least + step.stay + beside <= state.free
    if not fits:  # nothing that could have been moved was left where it was
        assert not state.kept
        assert not any(held.here for held in state.held if not held.in_use)


@given(states)
def test_after_failures_every_measure_is_taken_once_and_then_there_is_none(state: State):
    taken: list[object] = []
    while measures := after_failure(state):
        for measure in measures:
            assert measure not in taken
            taken.append(measure)
            state = after(state, measure)
        state = State(state.free, state.host, state.kept, state.held, state.moves, True, state.pieces)
    assert [rank(measure) for measure in taken] == sorted(rank(measure) for measure in taken)
    if state.moves:
        assert not any(held.here > held.least for held in state.held if held.in_use)


@given(states)
def test_a_network_in_use_is_never_moved_away(state: State):
    used = {held.name for held in state.held if held.in_use}
    for measure in after_failure(state):
        assert not (isinstance(measure, Away) and measure.name in used)


def test_what_fits_is_put_there_at_once():
    assert to_place(State(10), Held("a", Place.FILE, 0, 8, 4), 2) == Put(Place.DEVICE)


def test_what_computing_takes_is_left_free():
    assert to_place(State(10), Held("a", Place.FILE, 0, 8, 4), 3) == Put(Place.BLOCKS, 3)


def test_a_sentence_says_the_numbers_and_what_would_help():
    assert str(Short("the card", 2 * GB, GB, 8 * GB, 6 * GB)) == (
        "there is not enough memory on the card: one piece of 2.0 GB was needed; 1.0 GB of 8.0 GB were free; this "
        "program holds 6.0 GB, and others 1.0 GB. Try a smaller size or batch, fewer models at a time, or close other "
        "programs"
    )
    assert "Close the other programs" in str(Short("the card", 2 * GB, GB, 8 * GB, GB))
    assert str(Short("the card")).startswith("there is not enough memory on the card. Try")


def test_what_fails_beside_plenty_of_room_did_not_fail_for_want_of_it():
    assert not Short("the card", None, 7 * GB, 8 * GB, GB).is_certain()
    assert Short("the card", None, GB // 2, 8 * GB, 7 * GB).is_certain()
