"""Pictures as the program saves them."""

from pathlib import Path

from PySide6.QtCore import QBuffer, Qt
from PySide6.QtGui import QImage

from nodegraph.formats import png, workflow
from nodegraph.graph import Graph


def picture(folder: Path, name: str, parameters: str = "", graph: Graph | None = None, side: int = 32) -> Path:
    image = QImage(side + side // 2, side, QImage.Format.Format_RGB888)
    image.fill(Qt.GlobalColor.darkCyan)
    buffer = QBuffer()
    image.save(buffer, "PNG")  # type: ignore[call-overload]
    path = folder / name
    texts = {png.PARAMETERS: parameters, png.KEYWORD: workflow.dumps(graph or Graph())}
    path.write_bytes(png.with_texts(buffer.data().data(), texts))
    return path
