"""What a picture took up goes back to the system with it."""

import ctypes
import subprocess
import sys
import tempfile
import threading

import pytest
from PySide6.QtCore import QObject

from ui.base import heap

SIZES = ["arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"]


class Info(ctypes.Structure):
    """What glibc says of its memory; hblkhd: the bytes that were taken from the system for one block each."""

    _fields_ = [(name, ctypes.c_size_t) for name in SIZES]


def taken_for_a_picture() -> int:
    """Bytes that a picture of 4 MB takes from the system for itself alone, after a larger one. glibc 2.33 or later."""
    from PySide6.QtGui import QImage

    libc = ctypes.CDLL(None)
    libc.mallinfo2.restype = Info
    QImage(2000, 2000, QImage.Format.Format_RGB32)  # 16 MB, free again at once
    before = libc.mallinfo2().hblkhd
    picture = QImage(1000, 1000, QImage.Format.Format_RGB32)
    return libc.mallinfo2().hblkhd - before if not picture.isNull() else 0


def given_back_between_blocks() -> int:
    """Bytes of 30 MB in small blocks, free but for the last one, that the system has again after a pause."""
    from PySide6.QtCore import QCoreApplication
    from PySide6.QtTest import QTest

    app = QCoreApplication([])
    heap.PAUSE = 10
    heap.return_large_blocks()
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    blocks = [libc.malloc(30_000) for _ in range(1000)]
    for block in blocks:
        ctypes.memset(block, 1, 30_000)
    for block in blocks[:-1]:
        libc.free(block)
    before = resident()
    heap.return_what_is_free(app)
    QTest.qWait(50)
    return before - resident()


def heaps_of_threads() -> int:
    """How many heaps there are when four threads have taken memory at the same time. glibc tells it in XML."""
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.fopen.restype = ctypes.c_void_p, ctypes.c_void_p
    libc.malloc_info.argtypes, libc.fclose.argtypes = [ctypes.c_int, ctypes.c_void_p], [ctypes.c_void_p]
    together = threading.Barrier(4)

    def take() -> None:
        together.wait()
        libc.malloc(30_000)
        together.wait()

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with tempfile.NamedTemporaryFile() as told:
        file = libc.fopen(told.name.encode(), b"w")
        libc.malloc_info(0, file)
        libc.fclose(file)
        return told.read().count(b"<heap ")


def taken_by_notes() -> int:
    """Bytes in use for a note of ten lines that is dragged through two hundred widths."""
    from PySide6.QtWidgets import QApplication

    from ui.canvas.paint.frames import note_document

    app = QApplication([])
    text = "# A title\n" + "\n".join(f"- *line* {number} of **ten** with some words" for number in range(10))
    note_document(text, 100.0)
    libc = ctypes.CDLL(None)
    libc.mallinfo2.restype = Info
    before = libc.mallinfo2().uordblks
    for width in range(200, 400):
        note_document(text, float(width)).size()
    taken = libc.mallinfo2().uordblks - before
    app.quit()
    return taken


def resident() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None) if sys.platform == "linux" else None, "mallinfo2"), reason="glibc")
def test_what_is_free_between_blocks_that_stay_is_given_back():
    code = "from tests.ui.base import test_heap as t; print(t.given_back_between_blocks())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert int(done.stdout) > 20_000_000


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None) if sys.platform == "linux" else None, "mallinfo2"), reason="glibc")
def test_a_picture_is_never_among_small_blocks_which_would_keep_its_room():
    code = "from tests.ui.base import test_heap as t; t.heap.return_large_blocks(); print(t.taken_for_a_picture())"
    # In a process of its own: the setting is for good.
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert int(done.stdout) >= 4_000_000


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None) if sys.platform == "linux" else None, "mallinfo2"), reason="glibc")
def test_all_threads_share_one_heap_so_that_pictures_leave_room_in_no_other():
    code = "from tests.ui.base import test_heap as t; t.heap.return_large_blocks(); print(t.heaps_of_threads())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert int(done.stdout) == 1


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None) if sys.platform == "linux" else None, "mallinfo2"), reason="glibc")
def test_a_note_of_every_width_on_the_way_of_a_drag_does_not_stay():
    code = "from tests.ui.base import test_heap as t; print(t.taken_by_notes())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert 0 < int(done.stdout) < 6_000_000  # of 256, as it was, some 12 MB


def test_where_memory_is_managed_otherwise_nothing_is_done(monkeypatch: pytest.MonkeyPatch, qapp):
    monkeypatch.setattr(sys, "platform", "win32")
    heap.return_large_blocks()
    heap.return_what_is_free(owner := QObject(qapp))
    monkeypatch.undo()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())  # such as musl's, which cannot be told
    heap.return_large_blocks()
    heap.return_what_is_free(owner)
    assert not owner.children()
