"""Choose what computes, and in which precision. The engine is started again with the choice."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QStandardItemModel
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QFormLayout, QLabel, QVBoxLayout, QWidget

from nodegraph.running.messages import PRECISIONS, Device
from ui.base.settings import Settings
from ui.base.theme import dialog_size
from ui.widgets.fields import ComboBox

AUTO = Device("auto", "Automatic: the first card that can, else the processor")
PROCESSOR = Device("cpu", "The processor")


class DeviceDialog(QDialog):
    """devices: those that the engine knows of; none before it has started."""

    def __init__(self, settings: Settings, devices: Sequence[Device], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.settings = settings
        self.setWindowTitle("Device")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.device, self.precision = ComboBox(), ComboBox()
        self.device.setAccessibleName("Device")
        self.precision.setAccessibleName("Precision")
        for device in choices(devices, settings.now.device):
            self._add(device)
        for name in PRECISIONS:
            self.precision.addItem("Automatic" if name == "auto" else name, name)
        self.device.setCurrentIndex(self.device.findData(settings.now.device))
        self.precision.setCurrentIndex(self.precision.findData(settings.now.precision))
        self._lay_out()

    def _add(self, device: Device) -> None:
        self.device.addItem(f"{device.title}{': cannot compute here' if device.problem else ''}", device.name)
        row = self.device.count() - 1
        self.device.setItemData(row, device.problem or device.name, Qt.ItemDataRole.ToolTipRole)
        model = self.device.model()
        if device.problem and isinstance(model, QStandardItemModel):
            model.item(row).setEnabled(False)

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow("Compute on", self.device)
        form.addRow("Precision", self.precision)
        about = QLabel(
            "Less precision is faster on most cards and takes half of the memory. What a model overflows in is never "
            "used for it. Results that were computed otherwise are kept, and found again when you change back."
        )
        about.setWordWrap(True)
        about.setObjectName("dim")
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        column.addLayout(form)
        column.addWidget(about)
        column.addStretch(1)
        column.addWidget(buttons)
        self.resize(dialog_size(520, 230))

    def accept(self) -> None:
        self.settings.change(device=self.device.currentData(), precision=self.precision.currentData())
        super().accept()


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
