"""The folder that somebody's ComfyUI fills is found at a first start, and every model in it runs by dragging it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest
from safetensors.torch import load_file, save_file

from nodegraph.formats.needs import needs
from nodegraph.formats.package import discover
from nodegraph.running.engine import Settings as EngineSettings
from tests import tiny_models, tiny_modern, tiny_split, tiny_variants
from tests.tiny_checkpoints import write_single_file
from tests.ui.dragging import drag_card
from ui.panels.models import ModelsPanel
from ui.window.first_folders import FirstFolders, offer_folders
from ui.window.main_window import MainWindow

LONG = 300_000
WORDS = 151_936  # of Qwen's tokenizer
SIDE, STEPS = 64, 2

FOLDERS: dict[str, Callable[[Path], object]] = {
    "sd15": tiny_models.build_sd15,
    "sd15_inpainting": tiny_models.build_sd15_inpaint,
    "sd21": tiny_models.build_sd21,
    "sdxl_base": tiny_models.build_sdxl,
    "sdxl_refiner": tiny_models.build_sdxl_refiner,
    "sd3_medium": tiny_models.build_sd3,
    "flux1_dev": tiny_models.build_flux,
    "flux1_schnell": tiny_variants.flux_schnell,
    "flux1_fill": tiny_variants.flux_fill,
    "z_image": tiny_modern.build_z_image,
    "qwen_image": tiny_modern.build_qwen_image,
    "qwen_image_edit_2511": tiny_modern.build_qwen_edit_11,
    "qwen_image_2.1": tiny_modern.build_qwen_21,
    "flux2_klein": tiny_modern.build_klein,
    "flux2_dev": tiny_modern.build_flux2_dev,
    "krea2": tiny_modern.build_krea2,
}
"""Of the diffusers layout: their settings say how small they are, as files by themselves cannot of every network."""

SPLIT = ("z_image", "qwen_image", "qwen_image_edit_2511", "qwen_image_2.1", "flux2_klein", "flux2_dev", "krea2")
DENOISERS = {"flux1_dev": "flux1-dev", "flux1_schnell": "flux1-schnell"}
"""Those of Flux.1 as files of their own, and what they are called there."""


def with_all_words(path: Path) -> None:
    """A file of a text encoder has a vector for each word of its published tokenizer, however small it is otherwise."""
    tensors = load_file(path)
    for name, tensor in tensors.items():
        if name.endswith("embed_tokens.weight"):
            tensors[name] = tensor.repeat(WORDS // len(tensor) + 1, 1)[:WORDS].contiguous()
    save_file(tensors, path)


@pytest.fixture(scope="module")
def comfyui(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with ComfyUI in it, whose models lie in folders of their own within those of their kinds."""
    home = tmp_path_factory.mktemp("home")
    models = home / "ComfyUI" / "models"
    (home / "ComfyUI" / "comfy").mkdir(parents=True)
    for name, build in FOLDERS.items():
        build(models / "diffusers" / name)
    for name in SPLIT:
        written = tiny_split.write_split(models / "diffusers" / name, home / "split")
        with_all_words(written["text_encoder"])
        for path in written.values():
            place = models / path.parent.name / name / path.name
            place.parent.mkdir(parents=True)
            shutil.move(path, place)
    for name, called in DENOISERS.items():
        write_single_file(models / "diffusers" / name, models / "diffusion_models" / f"{called}.safetensors")
    kontext = models / "diffusion_models" / "flux1-dev-kontext.safetensors"
    shutil.copy(models / "diffusion_models" / "flux1-dev.safetensors", kontext)
    (models / "loras").mkdir()
    tiny_models.build_lora(models / "loras" / "style_sd15.safetensors", models / "diffusers" / "sd15")
    tiny_models.build_controlnet_sd15(models / "controlnet" / "canny_sd15")
    return home


@pytest.fixture
def window(qtbot, comfyui: Path, tmp_path: Path, monkeypatch) -> MainWindow:
    for name in ("HF_HOME", "HF_HUB_CACHE", "COMFYUI_PATH", "INVOKEAI_ROOT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(comfyui))
    monkeypatch.setenv("DENOODLE_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(comfyui)
    made = MainWindow(discover("nodes"), EngineSettings("nodes", cache=None, out_dir=str(tmp_path / "out")))
    qtbot.addWidget(made, before_close_func=lambda w: [d.undo_stack.setClean() for d in w.session.documents])
    made.resize(1500, 1100)
    made.show()
    qtbot.waitExposed(made)
    made.start()
    return made


def list_what_is_found(window: MainWindow, qtbot) -> ModelsPanel:
    """As one does who is asked at a first start."""
    offer_folders(window)
    qtbot.waitUntil(lambda: bool(window.findChildren(FirstFolders)), timeout=LONG)
    (dialog,) = window.findChildren(FirstFolders)
    assert any(box.text().startswith("ComfyUI in ") for box, _ in dialog.offers.boxes)
    taken = next(button for button in dialog.buttons.buttons() if button.text() == "List these models")
    QTest.mouseClick(taken, Qt.MouseButton.LeftButton)
    panel = window.docks.panel("Models")
    assert isinstance(panel, ModelsPanel)
    qtbot.waitUntil(lambda: panel.rows.rowCount() > 0 and not window.shelves.scanning.running, timeout=LONG)
    return panel


def small_and_short(window: MainWindow) -> None:
    """What a person who is in a hurry sets."""
    for id, node in window.document.graph.nodes.items():
        for side in {"width", "height"} if node.type == "latent.empty" else {"width", "height"} & node.params.keys():
            window.document.set_param(id, side, SIDE)
        if node.type == "schedule.noise_scheduler":
            window.document.set_param(id, "steps", STEPS)
        if node.type == "schedule.slice":
            window.document.set_param(id, "end" if id == "first" else "start", 1)


def tried(window: MainWindow, panel: ModelsPanel, path: str, qtbot, monkeypatch) -> str:
    """Why there is no picture of a model that was dragged; empty when there is one."""
    window.tabs.new()
    place = QPointF(window.canvas.mapTo(window, window.canvas.rect().center()))
    drag_card(panel, panel.rows.row(path), window, place, monkeypatch)
    qtbot.waitUntil(lambda: bool(window.document.graph.nodes), timeout=LONG)
    if len(window.document.graph.nodes) == 1:
        return window.status_bar.text.text()
    if lacking := needs(window.document.graph):
        return f"lacks {[need.what for need in lacking]}"
    small_and_short(window)
    out = Path(window.engine.began_with.out_dir)
    before = set(out.glob("**/*.png"))
    window.actions_by_id["run.all"].trigger()
    qtbot.waitUntil(lambda: bool(window.runs.outcome) and not window.runs.running, timeout=LONG)
    made = set(out.glob("**/*.png")) - before
    if not made:
        problems = window.plan.latest.problems if window.plan.latest else ()
        return " ".join([window.runs.outcome, *(problem.message for problem in problems)])
    with Image.open(made.pop()) as image:
        return "" if any(low < high for low, high in image.getextrema()) else "the picture is of one colour"


@pytest.mark.slow
def test_every_model_of_a_comfyui_folder_runs_by_dragging_it_onto_an_empty_canvas(window, qtbot, monkeypatch):
    panel = list_what_is_found(window, qtbot)
    paths = [panel.rows.path(row) for row in range(panel.rows.rowCount())]
    known: dict[str, object] = {}
    window.shelves.do(lambda library: library.entries(paths), known.update)
    qtbot.waitUntil(lambda: len(known) == len(paths), timeout=LONG)
    dragged = [path for path in paths if known[path].kind in ("checkpoint", "denoiser", "lora", "controlnet")]
    assert len(dragged) == len(FOLDERS) + len(SPLIT) + len(DENOISERS) + 3
    failed: dict[str, str] = {}
    for path in dragged:
        if why := tried(window, panel, path, qtbot, monkeypatch):
            failed[Path(path).name] = why
    assert not failed
