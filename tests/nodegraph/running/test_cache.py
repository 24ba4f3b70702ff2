"""What the caches promise: bounded memory, results that survive a restart, and damage that is only a miss."""

import errno
import os
import re
import shutil
import subprocess
import sys
import threading
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from nodegraph.formats.files import HIDDEN
from nodegraph.running.cache import Cache, DiskCache, nbytes
from nodegraph.running.disk_cache import PENDING
from tests.nodegraph.toys import Box, JsonCodec


@dataclass(frozen=True, slots=True)
class Pixels:
    """Stands for a tensor."""

    nbytes: int


@dataclass(frozen=True, slots=True)
class Sheet:
    pages: tuple[Pixels, ...]
    notes: dict[str, Any] = field(default_factory=dict)


def size(bytes: int) -> int:
    """What a cache counts for a result of one tensor: the tuple around it as well."""
    return nbytes((Pixels(bytes),))


def disk(folder: Path, limit: int = 1 << 20, codec: Any = None) -> DiskCache:
    return DiskCache(folder, limit, codec or JsonCodec(), worth_seconds=0.02)


def store(cache: DiskCache, key: str, value: float) -> None:
    cache.store(key, (Box(value),), seconds=1.0)
    cache.flush()


# --- memory ---


def test_nbytes_counts_tensors_inside_dataclasses_tuples_and_dicts():
    sheet = Sheet((Pixels(1000), Pixels(500)), {"more": [Pixels(250)]})
    assert 1750 <= nbytes(sheet) < 1750 + 1000  # and something for the containers


def test_nbytes_counts_texts_keys_and_the_containers_themselves():
    assert nbytes("x" * 1000) >= 1000
    assert nbytes([Pixels(0)] * 1000) >= sys.getsizeof([Pixels(0)] * 1000)
    key, found = "key" * 1000, {"key" * 1000: Pixels(500)}
    assert nbytes(found) == sys.getsizeof(found) + sys.getsizeof(key) + 500


def test_the_least_recently_used_result_goes_first():
    cache = Cache(2 * size(1000))
    cache.put("a", (Pixels(1000),), 0)
    cache.put("b", (Pixels(1000),), 0)
    cache.get("a")
    cache.put("c", (Pixels(1000),), 0)
    assert [key in cache for key in "abc"] == [True, False, True]


def test_memory_stays_within_its_bound():
    cache = Cache(10 * size(100))
    for i in range(100):
        cache.put(str(i), (Pixels(100),), 0)
        assert cache.used == sum(cache.sizes().values()) == min(i + 1, 10) * size(100)


def test_a_result_as_large_as_the_bound_is_kept():
    cache = Cache(size(1000))
    cache.put("a", (Pixels(1000),), 0)
    assert (cache.size("a"), cache.size("b")) == (size(1000), 0)


def test_a_result_larger_than_the_bound_is_not_kept_and_displaces_nothing():
    cache = Cache(2 * size(1000))
    cache.put("a", (Pixels(1000),), 0)
    cache.put("b", (Pixels(10_000),), 0)
    assert [key in cache for key in "ab"] == [True, False]


def test_a_result_put_twice_counts_once():
    cache = Cache(1 << 20)
    for _ in range(2):
        cache.put("a", (Pixels(1000),), 0)
    assert cache.used == size(1000)


def test_a_cache_that_is_cleared_counts_from_nothing(tmp_path):
    cache = Cache(1 << 20, disk(tmp_path))
    cache.put("a", (Box(1.0),), seconds=1.0)
    cache.disk.flush()
    cache.clear()
    assert (cache.used, cache.sizes(), cache.get("a")) == (0, {}, (Box(1.0),))
    assert cache.used == cache.size("a") > 0


# --- disk ---


def test_results_are_there_after_a_restart(tmp_path):
    first = disk(tmp_path)
    first.store("a", (Box(1.5), Box(2.0)), seconds=1.0)
    first.close()
    assert Cache(1 << 20, disk(tmp_path)).get("a") == (Box(1.5), Box(2.0))


def test_what_is_read_from_disk_is_kept_in_memory(tmp_path):
    store(disk(tmp_path), "a", 1.0)
    cache = Cache(1 << 20, disk(tmp_path))
    first = cache.get("a")
    assert cache.get("a") is first


@pytest.mark.parametrize(("seconds", "written"), [(0.0019, 0), (0.002, 1)])
def test_a_result_is_written_when_it_took_two_thousandths_of_a_second(tmp_path, seconds, written):
    cache = DiskCache(tmp_path / "in" / "folders" / "to be made", 1 << 20, JsonCodec())
    cache.store("a", (Box(1.0),), seconds)
    cache.close()
    assert cache.count == written


def test_a_file_is_named_by_its_key_and_the_crc_32_of_what_is_in_it(tmp_path):
    """As every version before wrote it."""
    (tmp_path / f"a-{zlib.crc32(b'[1.0]'):08x}.result").write_bytes(b"[1.0]")
    assert disk(tmp_path).load("a") == (Box(1.0),)


class Counting(JsonCodec):
    def __init__(self) -> None:
        self.saved: list[tuple[Any, ...]] = []

    def save(self, values: tuple[Any, ...], path: Path) -> None:
        self.saved.append(values)
        super().save(values, path)


def test_what_is_there_is_not_written_again(tmp_path):
    codec = Counting()
    cache = disk(tmp_path, codec=codec)
    for _ in range(2):
        store(cache, "a", 1.0)
    assert codec.saved == [(Box(1.0),)]


def test_writing_keeps_no_program_from_ending_and_has_a_name(tmp_path):
    before = set(threading.enumerate())
    cache = disk(tmp_path)
    store(cache, "a", 1.0)
    (writer,) = set(threading.enumerate()) - before
    assert (writer.name, writer.daemon) == ("disk cache", True)
    cache.close()


def test_a_folder_that_is_cleared_loses_also_what_others_wrote(tmp_path):
    cache = disk(tmp_path)
    store(cache, "a", 1.0)
    store(disk(tmp_path), "b", 1.0)
    cache.clear()
    assert (cache.count, cache.used, list(tmp_path.iterdir())) == (0, 0, [])


def test_a_folder_that_is_gone_is_cleared_too(tmp_path):
    cache = disk(tmp_path / "results")
    store(cache, "a", 1.0)
    shutil.rmtree(tmp_path / "results")
    cache.clear()
    assert (cache.count, cache.used) == (0, 0)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def flip(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"1", b"2"))


def empty(path: Path) -> None:
    path.write_bytes(b"")


def test_a_result_that_is_forgotten_is_gone_from_memory_and_disk_and_counts_no_more(tmp_path):
    cache = Cache(1 << 20, disk(tmp_path))
    cache.put("a", (Box(1.0),), seconds=1.0)
    cache.put("b", (Box(1.0), Box(2.0)), seconds=1.0)
    cache.disk.flush()
    cache.forget("a")
    assert ("a" in cache, "b" in cache) == (False, True)
    assert cache.used == cache.size("b")
    assert [name for name in "ab" if name in disk(tmp_path)] == ["b"]
    cache.forget("a")
    assert cache.used == cache.size("b")


def test_what_is_written_counts_with_what_was_there_and_once(tmp_path):
    cache = disk(tmp_path)
    for key in ("a", "b", "a"):
        store(cache, key, 1.0)
    cache.close()
    assert cache.used == sum(path.stat().st_size for path in tmp_path.iterdir()) == 2 * len("[1.0]")


@pytest.mark.parametrize("place", [0, 1 << 20, (3 << 20) - 1])
def test_damage_anywhere_in_a_large_entry_is_a_miss(tmp_path, place):
    class Long(JsonCodec):
        def save(self, values: tuple[Any, ...], path: Path) -> None:
            path.write_bytes(b"x" * (3 << 20))

        def load(self, path: Path) -> tuple[Any, ...]:
            return (path.stat().st_size,)

    cache = disk(tmp_path, 8 << 20, Long())
    store(cache, "a", 1.0)
    assert cache.load("a") == (3 << 20,)
    with next(tmp_path.iterdir()).open("r+b") as file:
        file.seek(place)
        file.write(b"y")
    assert disk(tmp_path, 8 << 20, Long()).load("a") is None


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("damage", [truncate, flip, empty, Path.unlink, replace_by_folder])
def test_a_damaged_entry_is_a_miss_and_the_next_result_takes_its_place(tmp_path, damage):
    store(disk(tmp_path), "a", 1.0)
    cache = disk(tmp_path)
    damage(next(tmp_path.iterdir()))
    assert cache.load("a") is None
    assert "a" not in cache
    store(cache, "a", 3.0)
    assert cache.load("a") == (Box(3.0),)


def test_an_entry_the_codec_cannot_read_is_a_miss(tmp_path):
    class Strict(JsonCodec):
        def load(self, path: Path) -> tuple[Any, ...]:
            raise RuntimeError("written by another version")

    store(disk(tmp_path), "a", 1.0)
    assert disk(tmp_path, codec=Strict()).load("a") is None
    assert list(tmp_path.iterdir()) == []


def test_the_folder_stays_within_its_limit_and_loses_the_least_recently_used(tmp_path):
    cache = disk(tmp_path, limit=3 * len("[1.0]"))
    for key in "abc":
        store(cache, key, 1.0)
    cache.load("a")
    store(cache, "d", 1.0)
    cache.close()
    assert [key in cache for key in "abcd"] == [True, False, True, True]
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) == 15


def test_the_limit_holds_for_what_was_there_before(tmp_path):
    first = disk(tmp_path)
    for key in "abc":
        store(first, key, 1.0)
    second = disk(tmp_path, limit=len("[1.0]"))
    store(second, "d", 1.0)
    second.close()
    assert len(list(tmp_path.iterdir())) == 1


def test_a_value_without_a_form_on_disk_is_simply_not_written(tmp_path):
    class Picky(JsonCodec):
        def save(self, values: tuple[Any, ...], path: Path) -> None:
            path.write_text("half")
            raise TypeError("no form for this")

    cache = disk(tmp_path, codec=Picky())
    store(cache, "a", 1.0)
    assert "a" not in cache
    assert list(tmp_path.iterdir()) == []


def test_a_failure_to_write_costs_that_result_alone(tmp_path):
    class Unlucky(JsonCodec):
        def save(self, values: tuple[Any, ...], path: Path) -> None:
            if values == (Box(1.0),):
                raise RuntimeError("no memory for a copy")
            super().save(values, path)

    cache = disk(tmp_path, codec=Unlucky())
    cache.store("a", (Box(1.0),), seconds=1.0)
    cache.store("b", (Box(2.0),), seconds=1.0)
    cache.close()
    assert ("a" in cache, "b" in cache) == (False, True)


def test_writing_holds_up_nothing_and_drops_the_oldest_when_it_cannot_keep_up(tmp_path):
    begun, go = threading.Event(), threading.Event()

    class Slow(JsonCodec):
        def save(self, values: tuple[Any, ...], path: Path) -> None:
            begun.set()
            go.wait()
            super().save(values, path)

    cache = disk(tmp_path, codec=Slow())
    cache.store("0", (Box(0),), seconds=1.0)
    begun.wait()
    for i in range(1, 100):
        cache.store(str(i), (Box(i),), seconds=1.0)
    go.set()
    cache.close()
    assert [i for i in range(100) if str(i) in cache] == [0, *range(100 - PENDING, 100)]


def test_a_file_half_written_by_a_killed_process_is_cleared_away(tmp_path):
    left = tmp_path / f".a.123{HIDDEN}"
    left.write_text("half")
    disk(tmp_path)
    assert not left.exists()


def test_foreign_files_in_the_folder_are_left_alone(tmp_path):
    (tmp_path / "holiday.jpg").write_bytes(b"1" * 100)
    store(disk(tmp_path, limit=1), "a", 1.0)
    assert (tmp_path / "holiday.jpg").exists()


def test_a_folder_that_cannot_be_used_is_refused_with_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=rf"^cannot keep results in {re.escape(str(tmp_path / 'file'))}: [^\[]"):
        disk(tmp_path / "file")


# --- several processes, one folder ---


def test_a_link_that_leads_nowhere_is_passed_over(tmp_path):
    for name in ("a-00000000.result", f".b.7{HIDDEN}"):
        (tmp_path / name).symlink_to(tmp_path / "gone")
    assert disk(tmp_path).count == 0


def test_a_link_is_not_taken_for_a_result(tmp_path):
    store(disk(tmp_path / "elsewhere"), "a", 1.0)
    (kept,) = (tmp_path / "elsewhere").iterdir()
    (tmp_path / kept.name).symlink_to(kept)
    assert disk(tmp_path).count == 0


def test_a_file_that_goes_while_the_folder_is_read_is_passed_over(tmp_path, monkeypatch):
    store(disk(tmp_path), "a", 1.0)
    listed = os.scandir

    class Late:
        """Of a folder that another process is at work in: what is listed is gone when it is looked at."""

        def __init__(self, folder):
            self.entries = list(listed(folder))
            for entry in self.entries:
                os.unlink(entry.path)

        def __enter__(self):
            return iter(self.entries)

        def __exit__(self, *_):
            pass

    monkeypatch.setattr(os, "scandir", Late)
    assert disk(tmp_path).count == 0


@pytest.fixture
def no_writing(tmp_path, monkeypatch) -> Path:
    """A folder that may be read alone; also for a superuser, whom modes do not stop."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    for name in ("utime", "unlink", "replace", "open"):
        monkeypatch.setattr(os, name, refuse)
    return tmp_path


def test_a_cache_that_may_be_read_but_not_written_is_used_for_reading(tmp_path, request):
    store(disk(tmp_path), "a", 1.0)
    cache = disk(request.getfixturevalue("no_writing"), limit=1)
    for _ in range(2):
        assert cache.load("a") == (Box(1.0),)
    store(cache, "b", 2.0)
    assert ("a" in cache, "b" in cache) == (True, False)


def test_two_files_for_one_key_count_as_one_result_and_the_older_goes(tmp_path):
    store(disk(tmp_path), "a", 1.0)
    (first,) = tmp_path.iterdir()
    os.utime(first, (1, 1))
    other = disk(tmp_path / "other")
    store(other, "a", 2.0)  # the same inputs, other bits: another machine, say
    (second,) = (tmp_path / "other").iterdir()
    second = second.rename(tmp_path / second.name)
    cache = disk(tmp_path)
    assert cache.load("a") == (Box(2.0),)
    assert (cache.used, first.exists(), second.exists()) == (second.stat().st_size, False, True)


def test_two_files_for_one_key_are_read_where_nothing_may_be_deleted(tmp_path, request):
    for name in ("a-1.result", f"a-{zlib.crc32(b'[1.0]'):08x}.result"):
        (tmp_path / name).write_bytes(b"[1.0]")
    os.utime(tmp_path / "a-1.result", (1, 1))
    assert disk(request.getfixturevalue("no_writing")).load("a") == (Box(1.0),)


def test_a_result_that_another_process_wrote_meanwhile_counts_once(tmp_path):
    class Beside(JsonCodec):
        def save(self, values: tuple[Any, ...], path: Path) -> None:
            if len(values) > 1:
                store(disk(tmp_path), "b", 1.0)
                cache.store("b", (Box(1.0),), seconds=1.0)
            super().save(values, path)

    cache = disk(tmp_path, limit=16 * len("[1.0]"), codec=Beside())
    cache.store("a", (Box(1.0), Box(1.0)), seconds=1.0)  # so large that what others wrote is looked at after it
    cache.flush()
    cache.close()
    assert cache.used == sum(path.stat().st_size for path in tmp_path.iterdir()) == len("[1.0, 1.0]") + len("[1.0]")


@pytest.fixture
def looks(monkeypatch) -> list[Any]:
    """The folders that were looked at."""
    listed, folders = os.scandir, []
    monkeypatch.setattr(os, "scandir", lambda folder: folders.append(folder) or listed(folder))
    return folders


def test_what_others_wrote_is_looked_at_after_a_sixteenth_of_the_limit_and_not_before(tmp_path, looks):
    cache = disk(tmp_path, limit=4 * 16 * len("[1.0]"))
    looks.clear()
    for number in range(14):
        store(cache, str(number), 1.0)
    cache.close()
    assert len(looks) == 2  # after five, and after five more: four are a sixteenth and no more


def test_a_folder_that_cannot_be_listed_any_more_costs_no_result(tmp_path, monkeypatch):
    cache = disk(tmp_path, limit=16 * len("[1.0]") - 1)

    def refuse(_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    for key in "abc":
        cache.store(key, (Box(1.0),), seconds=1.0)
    cache.close()
    assert [key in cache for key in "abc"] == [True] * 3


def test_what_other_processes_write_counts_towards_the_limit(tmp_path):
    size = len("[1.0]")
    one, other = disk(tmp_path, limit=32 * size), disk(tmp_path, limit=32 * size)
    for number in range(32):
        store(one, f"one{number}", 1.0)
        store(other, f"other{number}", 1.0)
    one.close()
    other.close()
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= (32 + 2 * 2) * size


def test_light_processes_on_one_folder_neither_refuse_nor_read_wrongly(tmp_path):
    done = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.nodegraph.sharers", str(tmp_path / "cache"), str(seed)],
            cwd=Path(__file__).parents[3],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for seed in range(4)
    ]
    assert [process.communicate(timeout=300)[0] for process in done] == [""] * 4
    assert not [path.name for path in (tmp_path / "cache").iterdir() if path.name.endswith(HIDDEN)]
