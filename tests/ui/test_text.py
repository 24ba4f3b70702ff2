import pytest

from ui.text import duration, label


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0001, "<1 ms"),
        (0.042, "42 ms"),
        (0.9999, "1.0 s"),
        (3.21, "3.2 s"),
        (59.97, "1:00 min"),
        (75, "1:15 min"),
        (4000, "1:06 h"),
    ],
)
def test_a_duration_is_written_in_the_unit_that_suits_it(seconds, text):
    assert duration(seconds) == text


def test_a_name_is_written_for_people():
    assert [label(n) for n in ("guidance_scale", "vae", "state_2")] == ["Guidance scale", "VAE", "State 2"]
