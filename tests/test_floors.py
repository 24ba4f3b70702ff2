"""What checks the floors: on houses of its own, for it must also fail."""

from pathlib import Path

import pytest

from tests.architecture import complaints, count, floors_of, house, read

FLOORS = (("house.cellar",), ("house.kitchen", "house.parlour"), ("house",))
SOUND = {
    "house/cellar/shelf.py": "import sys",
    "house/cellar/wine.py": "from house.cellar import shelf",
    "house/kitchen/stove.py": "from house.cellar.shelf import Jar",
    "house/parlour/sofa.py": "import house.cellar.shelf",
    "house/roof.py": "from house.kitchen import stove\nfrom house.parlour.sofa import Sofa",
}


@pytest.fixture
def told(tmp_path: Path):
    """What is said about the sound house with some of its files written anew."""

    def said(**anew: str) -> list[str]:
        files = {f"house/{name.replace('__', '/')}.py": text for name, text in anew.items()}
        for path, text in {**SOUND, **files}.items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            (file.parent / "__init__.py").touch()
            file.write_text(text)
        return complaints(read(tmp_path, "house"), FLOORS)

    return said


RULE = "a room knows only the rooms on the floors below it."


def test_nothing_is_said_about_a_sound_house(told):
    assert told() == []


@pytest.mark.parametrize(
    "text",
    [
        "from house.roof import Tile",
        "import house.roof",
        "from house import roof",
        "def drink():\n    from house.roof import Tile",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from house.roof import Tile",
    ],
    ids=["name", "module", "module by name", "lazily", "for annotation"],
)
def test_an_import_of_a_higher_floor_is_one_sentence_with_both_files_and_the_rule(told, text: str):
    assert told(cellar__wine=text) == [f"house/cellar/wine.py (floor 0) imports house/roof.py (floor 2): {RULE}"]


def test_rooms_of_one_floor_do_not_know_each_other(told):
    (sentence,) = told(parlour__sofa="from house.kitchen import stove")
    assert sentence == f"house/parlour/sofa.py (floor 1) imports house/kitchen/stove.py (floor 1): {RULE}"


def test_modules_of_one_room_make_no_circle(told):
    (sentence,) = told(cellar__shelf="def find():\n    from house.cellar.wine import Bottle")
    assert sentence.count("house/cellar/shelf.py") + sentence.count("house/cellar/wine.py") == 3
    assert "circle" in sentence


def test_what_a_room_s_door_imports_counts(told, tmp_path: Path):
    told()
    (tmp_path / "house/cellar/__init__.py").write_text("from house.roof import Tile")
    (sentence,) = complaints(read(tmp_path, "house"), FLOORS)
    assert sentence.startswith("house/cellar/__init__.py (floor 0) imports house/roof.py (floor 2)")


def test_a_new_room_needs_a_floor_and_an_empty_one_none(told, tmp_path: Path):
    assert told(attic__trunk="") == ["house.attic is on no floor: give it one in tests/test_architecture.py."]
    sentences = complaints(read(tmp_path, "house"), (*FLOORS, ("house.attic",), ("house.tower",)))
    assert sentences == ["house.tower is on floor 4 and has no files."]


def test_rooms_floors_arrows_and_circles_are_counted(told, tmp_path: Path):
    told()
    modules = read(tmp_path, "house")
    assert count(modules) == (5, 4, 3, 4, 0, 0, 0)
    assert floors_of(house(modules)) == [{"house.cellar"}, {"house.kitchen", "house.parlour"}, {"house"}]
    told(cellar__shelf="from house.roof import Tile")
    looped = count(read(tmp_path, "house"))
    # All rooms lead to each other then, and all modules but the wine, which nobody fetches.
    assert looped == (5, 4, 1, 5, 4, 5, 4)
