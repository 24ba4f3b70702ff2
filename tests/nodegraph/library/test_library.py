"""What lies in folders is found once, looked at once, and searched; what a person says of it stays."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier

import pytest

from nodegraph.library.entry import Query
from nodegraph.library.library import Library
from nodegraph.library.scan import Scanned, update
from nodegraph.library.store import index_path
from tests.nodegraph.library.shelf import STOCK, jar


@pytest.fixture
def cellar(tmp_path: Path) -> Path:
    return tmp_path / "cellar"


def look_again(cellar: Path) -> Scanned:
    return update(cellar.parent / "library", [str(cellar)], STOCK, lambda done, whole: None)


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    library = Library(tmp_path / "library", STOCK.families)
    yield library
    library.close()


def names(library: Library, text: str = "", **asked: object) -> list[str]:
    return [Path(entry.path).name for entry in library.search(text, **asked)]  # pyright: ignore[reportArgumentType]


def test_files_of_the_folders_become_entries_with_what_they_say(cellar: Path, library: Library):
    jar(cellar / "jams" / "damson.jar", "jam:plum,fig:sweet,dark")
    jar(cellar / "jams" / "damson.png", "")
    jar(cellar / "notes.txt", "nothing for the library")
    look_again(cellar)
    (entry,) = library.search()
    assert (entry.kind, entry.family, entry.family_title) == ("jam", "plum", "Plums, Figs")
    assert (entry.layout, entry.words, entry.size) == ("glass", ("sweet", "dark"), 23)
    assert entry.thumbnail == str(cellar / "jams" / "damson.png")
    assert library.entry(entry.path) == entry


def test_what_has_not_changed_is_not_opened_again(cellar: Path):
    for number in range(5):
        jar(cellar / f"{number}.jar", f"jam:plum:{number}")
    assert look_again(cellar) == Scanned(entries=5, looked=5, gone=0, troubles=0)
    assert look_again(cellar) == Scanned(entries=5, looked=0, gone=0, troubles=0)


def test_what_was_renamed_replaced_or_removed_is_noticed(cellar: Path, library: Library):
    for name in ("one", "two", "three"):
        jar(cellar / f"{name}.jar", f"jam:plum:{name}")
    look_again(cellar)
    before = library.version()
    (cellar / "one.jar").rename(cellar / "first.jar")
    (cellar / "two.jar").write_text("pickle:fig:another")
    (cellar / "three.jar").unlink()
    assert look_again(cellar) == Scanned(entries=2, looked=2, gone=2, troubles=0)
    assert library.version() != before
    assert {(Path(e.path).name, e.kind) for e in library.search()} == {("first.jar", "jam"), ("two.jar", "pickle")}


def test_every_word_of_a_search_must_stand_somewhere_in_any_case(cellar: Path, library: Library):
    jar(cellar / "Dark" / "Damson_v2.jar", "jam:plum:sweet")
    jar(cellar / "quince.jar", "jam:fig:sweet")
    look_again(cellar)
    assert names(library, "damson") == names(library, "SWEET dark") == names(library, "plums v2") == ["Damson_v2.jar"]
    assert names(library, "we") == ["Damson_v2.jar", "quince.jar"]
    assert names(library, "damson quince") == names(library, "%") == []


def test_names_that_begin_with_the_text_come_first(cellar: Path, library: Library):
    for name in ("a plum", "plum", "b"):
        jar(cellar / f"{name}.jar", f"jam:plum:{name}")
    look_again(cellar)
    assert names(library, "plum") == ["plum.jar", "a plum.jar", "b.jar"]
    assert names(library, "plum", limit=1, offset=1) == ["a plum.jar"]


def test_kinds_families_stars_and_what_fits_narrow_a_search(cellar: Path, library: Library):
    for name, text in (("a", "jam:plum"), ("b", "pickle:fig"), ("c", "jam:"), ("d", "broken:")):
        jar(cellar / f"{name}.jar", text)
    look_again(cellar)
    library.star(str(cellar / "b.jar"))
    assert names(library, kinds=["jam"]) == ["a.jar", "c.jar"]
    assert names(library, families=["plum", "fig"]) == ["a.jar", "b.jar"]
    assert names(library, fitting=["plum"]) == ["a.jar", "c.jar"]
    assert names(library, fitting=["plum", "fig"]) == ["a.jar", "b.jar", "c.jar"]
    assert names(library, starred=True) == ["b.jar"]
    assert library.number(Query(kinds=("jam",))) == 2
    counts = library.counts()
    assert (counts.all, counts.starred, counts.problems) == (4, 1, 1)
    assert (counts.kinds, counts.families) == ({"jam": 2, "pickle": 1, "": 1}, {"plum": 1, "fig": 1})


def test_a_damaged_file_is_an_entry_with_its_problem_and_the_kind_of_its_folder(cellar: Path, library: Library):
    jar(cellar / "jams" / "bad.jar", "broken:")
    jar(cellar / "odd.jar", "stone")
    look_again(cellar)
    bad, odd = library.search()
    assert (bad.kind, bad.problem) == ("jam", f"{bad.path} is broken")
    assert (odd.kind, odd.problem) == ("", f"{odd.path} is nothing that this program knows")


def test_a_folder_that_is_one_thing_is_one_entry_and_its_parts_are_none(cellar: Path, library: Library):
    jar(cellar / "set" / "whole.txt", "jam:plum")
    jar(cellar / "set" / "parts" / "one.jar", "jam:plum")
    jar(cellar / "set" / "more" / "two.jar", "pickle:fig")
    look_again(cellar)
    assert names(library) == ["set", "two.jar"]
    jar(cellar / "set" / "parts" / "one.jar", "jam:plum:changed")
    assert look_again(cellar).looked == 1


def test_what_is_written_beside_a_file_is_looked_at_again_when_it_changes(cellar: Path, library: Library):
    jar(cellar / "a.jar", "jam:plum")
    look_again(cellar)
    jar(cellar / "a.label", "sweet")
    assert look_again(cellar).looked == 1
    jar(cellar / "a.label", "very sweet")
    assert look_again(cellar).looked == 1
    assert look_again(cellar).looked == 0


def test_a_folder_that_is_no_entry_is_looked_at_once(cellar: Path, library: Library):
    jar(cellar / "set.v1" / "whole.txt", "stone")
    assert look_again(cellar) == Scanned(entries=0, looked=1, gone=0, troubles=0)
    assert look_again(cellar) == Scanned(entries=0, looked=0, gone=0, troubles=0)
    jar(cellar / "set.v1" / "whole.txt", "jam:plum")
    look_again(cellar)
    (entry,) = library.search()
    assert (entry.name, entry.is_folder) == ("set.v1", True)


def test_a_scan_that_is_killed_leaves_an_index_that_the_next_one_completes(cellar: Path, library: Library):
    for number in range(300):
        jar(cellar / f"{number}.jar", f"jam:plum:{number}")

    def killed(done: int, whole: int) -> None:
        if done > 150:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        update(cellar.parent / "library", [str(cellar)], STOCK, killed)
    assert 100 <= library.counts().all < 300
    assert look_again(cellar).entries == library.counts().all == 300


def test_links_lead_to_each_content_once_and_never_in_a_circle(cellar: Path, library: Library):
    blob = jar(cellar / "blobs" / "1f2e", "jam:plum")
    (cellar / "snapshot").mkdir()
    (cellar / "snapshot" / "damson.jar").symlink_to(blob)
    (cellar / "zz.jar").symlink_to(blob)
    os.link(blob, cellar / "zzz.jar")
    (cellar / "snapshot" / "up").symlink_to(cellar)
    (cellar / "gone.jar").symlink_to(cellar / "nowhere")
    assert look_again(cellar).entries == 1
    assert "cannot be looked at" in library.troubles()[str(cellar / "gone.jar")]


def test_a_link_to_itself_is_said_and_what_lies_beside_it_is_listed(cellar: Path, library: Library):
    jar(cellar / "a.jar", "jam:plum")
    (cellar / "round").symlink_to(cellar / "round")
    assert look_again(cellar).entries == 1
    assert [*library.troubles()] == [str(cellar / "round")]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look everywhere")
def test_a_folder_without_rights_is_said_and_the_others_are_looked_into(cellar: Path, library: Library):
    jar(cellar / "a" / "a.jar", "jam:plum")
    jar(cellar / "b.jar", "jam:plum:b")
    (cellar / "a").chmod(0)
    try:
        assert look_again(cellar).entries == 1
    finally:
        (cellar / "a").chmod(0o755)
    assert "Permission denied" in library.troubles()[str(cellar / "a")]


def test_a_name_that_is_no_text_is_said_and_the_others_are_listed(cellar: Path, library: Library):
    jar(cellar / "a.jar", "jam:plum")
    try:
        Path(os.fsdecode(os.fsencode(cellar) + b"/\xff.jar")).write_text("jam:plum:b")
    except OSError:
        pytest.skip("this file system keeps no such names")
    assert look_again(cellar).entries == 1
    assert "whose name is no text" in next(iter(library.troubles().values()))


def test_a_star_and_a_note_follow_a_file_that_is_moved(cellar: Path, library: Library):
    path = jar(cellar / "a.jar", "jam:plum")
    jar(cellar / "b.jar", "jam:plum:b")
    look_again(cellar)
    library.star(str(path))
    library.note(str(path), "for Sunday")
    (cellar / "old").mkdir()
    path.rename(cellar / "old" / "z.jar")
    jar(path, "pickle:another one in its place")
    look_again(cellar)
    (entry,) = library.search(starred=True)
    assert (Path(entry.path).name, entry.note) == ("z.jar", "for Sunday")
    assert names(library, "sunday") == ["z.jar"]


def test_a_star_stays_with_a_name_whose_file_is_replaced(cellar: Path, library: Library):
    path = jar(cellar / "a.jar", "jam:plum")
    look_again(cellar)
    library.star(str(path))
    path.write_text("jam:plum:a newer version")
    look_again(cellar)
    assert names(library, starred=True) == ["a.jar"]
    library.star(str(path), on=False)
    assert names(library, starred=True) == []


def test_stars_survive_an_index_that_is_damaged_and_made_anew(cellar: Path, tmp_path: Path, library: Library):
    path = jar(cellar / "a.jar", "jam:plum")
    look_again(cellar)
    library.star(str(path))
    for file in (tmp_path / "library").glob("index-*"):
        file.unlink()
    index_path(tmp_path / "library").write_bytes(b"this is no database " * 400)
    assert look_again(cellar).looked == 1
    assert names(library, starred=True) == ["a.jar"]


def test_an_index_with_a_damaged_page_is_made_anew(cellar: Path, tmp_path: Path, library: Library):
    for number in range(300):
        jar(cellar / f"{number}.jar", f"jam:plum:{'sweet,' * 100}")
    look_again(cellar)
    library.close()
    spoil(index_path(tmp_path / "library"))
    anew = Library(tmp_path / "library", STOCK.families)
    assert look_again(cellar).looked == anew.number(Query("sweet")) == 300
    anew.close()


def test_stars_in_a_file_with_a_damaged_page_are_set_aside_with_a_sentence(tmp_path: Path):
    library = Library(tmp_path / "library")
    library.set_roots([f"/cellar/{number}" for number in range(2000)])
    library.close()
    spoil(tmp_path / "library" / "kept.sqlite")
    library = Library(tmp_path / "library")
    assert "it is kept as kept.damaged" in library.problem
    assert library.roots() == ()
    library.close()


@pytest.mark.parametrize("note", ["x'ff'", "CAST(x'ff' AS TEXT)"], ids=["bytes", "no UTF-8"])
def test_notes_of_which_one_is_no_text_any_more_are_set_aside(tmp_path: Path, note: str):
    """As one turned bit makes of a text. Each search would read it again."""
    folder = tmp_path / "library"
    Library(folder).close()
    with closing(sqlite3.connect(folder / "kept.sqlite")) as kept, kept:
        kept.execute(f"INSERT INTO mark VALUES ('a', 'b', 1, {note})")
    with closing(Library(folder)) as library:
        assert "it is kept as kept.damaged" in library.problem
        assert library.search("sweet") == []


def spoil(database: Path) -> None:
    """Of what it holds, not of how it begins."""
    pages = bytearray(database.read_bytes())
    middle = len(pages) // 2 // 4096 * 4096
    pages[middle : middle + 4096] = bytes(4096)
    database.write_bytes(pages)


def test_damaged_stars_are_set_aside_with_a_sentence(tmp_path: Path):
    folder = tmp_path / "library"
    folder.mkdir()
    (folder / "kept.sqlite").write_bytes(b"this is no database " * 400)
    library = Library(folder)
    assert "it is kept as kept.damaged" in library.problem
    library.close()


def test_stars_of_a_newer_program_are_refused_and_left_alone(tmp_path: Path):
    folder = tmp_path / "library"
    Library(folder).close()
    kept = sqlite3.connect(folder / "kept.sqlite")
    kept.execute("PRAGMA user_version = 99")
    kept.close()
    with pytest.raises(ValueError, match="written by a newer program"):
        Library(folder)
    assert (folder / "kept.sqlite").exists()


def test_what_an_older_program_has_kept_is_read(tmp_path: Path):
    """Of version 1, which knew no licences."""
    folder = tmp_path / "library"
    folder.mkdir()
    kept = sqlite3.connect(folder / "kept.sqlite")
    kept.executescript(
        "CREATE TABLE mark (identity TEXT PRIMARY KEY, path TEXT NOT NULL, starred INTEGER NOT NULL, note TEXT NOT NULL"
        ");"
        "CREATE TABLE hash (path TEXT PRIMARY KEY, stamp TEXT NOT NULL, sha256 TEXT NOT NULL);"
        "CREATE TABLE source (sha256 TEXT PRIMARY KEY, address TEXT NOT NULL);"
        "CREATE TABLE root (position INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE);"
        "INSERT INTO root VALUES (0, '/models'); PRAGMA user_version = 1;"
    )
    kept.close()
    library = Library(folder)
    assert library.roots() == ("/models",)
    assert library.search() == []
    library.close()


def test_a_folder_that_is_gone_takes_its_entries_along_and_is_said(cellar: Path, library: Library):
    jar(cellar / "a.jar", "jam:plum")
    look_again(cellar)
    shutil.rmtree(cellar)
    assert look_again(cellar).gone == 1
    assert "there is no folder" in library.troubles()[str(cellar)]


def test_the_folders_to_look_in_are_kept_in_their_order(tmp_path: Path, library: Library):
    library.set_roots([str(tmp_path / "b"), str(tmp_path / "a"), str(tmp_path / "b")])
    assert library.roots() == (str(tmp_path / "b"), str(tmp_path / "a"))


def test_a_folder_whose_name_is_no_text_is_refused_and_the_others_stay(library: Library):
    library.set_roots(["/one"])
    with pytest.raises(ValueError, match="its name is no text; rename it"):
        library.set_roots(["/one", "/two\udcff"])
    assert library.roots() == ("/one",)


def test_a_list_is_given_by_path_in_any_order_and_what_was_used_last_comes_first(cellar: Path, library: Library):
    for number, (name, words) in enumerate((("b", "long and sweet"), ("a", "x"), ("c", "sweet"))):
        os.utime(jar(cellar / f"{name}.jar", f"jam:plum:{words}"), (number, number))
    look_again(cellar)
    a, b, c = (str(cellar / f"{name}.jar") for name in "abc")
    assert library.paths(Query()) == [a, b, c]
    assert library.paths(Query(order="newest")) == [c, a, b]
    assert library.paths(Query(order="largest")) == [b, c, a]
    assert library.paths(Query(first=(c, "/nowhere", b))) == [c, b, a]
    assert library.paths(Query("sweet", first=(a, c))) == [c, b]
    assert {path: entry.path for path, entry in library.entries([c, a, "/nowhere"]).items()} == {a: a, c: c}
    assert library.folders() == [str(cellar)]


def test_who_opens_a_new_library_at_the_same_moment_waits_for_the_other(tmp_path: Path):
    """The window, a scan and the command do; SQLite refuses the second at once in one round of four."""
    together = Barrier(4)

    def opened(number: int) -> None:
        together.wait(30)
        Library(tmp_path / f"library {number // 4}").close()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(opened, range(80)))
