"""Choose what computes, and in which precision. The engine is started again with the choice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QStandardItemModel

from nodegraph.running.messages import PRECISIONS, Device
from ui.base.settings import Preferences
from ui.widgets.fields import ComboBox
from ui.window.settings_page import Page

AUTO = Device("auto", "Automatic: the first card that can, else the processor")
PROCESSOR = Device("cpu", "The processor")


class DevicePage(Page):
    """devices: those that the engine knows of; none before it has started."""

    title = "Computing"

    def __init__(self, now: Preferences, devices: Sequence[Device]) -> None:
        super().__init__()
        self.device, self.precision = ComboBox(), ComboBox()
        for device in choices(devices, now.device):
            self._add(device)
        for name in PRECISIONS:
            self.precision.addItem("Automatic" if name == "auto" else name, name)
        self.device.setCurrentIndex(self.device.findData(now.device))
        self.precision.setCurrentIndex(self.precision.findData(now.precision))
        self.row("Device", self.device)
        self.row("Precision", self.precision)
        self.remark(
            "Less precision is faster on most cards and takes half of the memory. What a model overflows in is never "
            "used for it. Results that were computed otherwise are kept, and found again when you change back."
        )
        self.remark("It holds at once: the engine is started again for it, and a run that is under way ends.")

    def _add(self, device: Device) -> None:
        self.device.addItem(f"{device.title}{': cannot compute here' if device.problem else ''}", device.name)
        row = self.device.count() - 1
        self.device.setItemData(row, device.problem or device.name, Qt.ItemDataRole.ToolTipRole)
        model = self.device.model()
        if device.problem and isinstance(model, QStandardItemModel):
            model.item(row).setEnabled(False)

    def chosen(self) -> dict[str, Any]:
        return {"device": self.device.currentData(), "precision": self.precision.currentData()}


def choices(devices: Sequence[Device], chosen: str) -> list[Device]:
    """What can be chosen, with what is chosen now, though it may be gone."""
    cards = [device for device in devices if device.name != PROCESSOR.name]
    shown = [
        AUTO,
        *(Device(card.name, f"{card.title} ({card.name})", card.problem) for card in cards),
        PROCESSOR,
    ]
    if all(device.name != chosen for device in shown):
        shown.append(Device(chosen, f"{chosen}, which is not there now"))
    return shown
