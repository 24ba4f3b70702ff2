"""How long a stage may take, its progress line with the time left, and its loss curve as a picture."""

import math
import sys
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, ImageDraw


@dataclass(frozen=True)
class Budget:
    """The end of a stage: a number of steps, a moment (of time.monotonic), or whichever comes first.

    It is a moment and not a length, so that a stage that begins late does not delay the others. None means no limit of
    that kind; one of the two must be set.
    """

    steps: int | None = None
    ends_at: float | None = None

    def __post_init__(self) -> None:
        if self.steps is None and self.ends_at is None:
            raise ValueError("a budget needs a number of steps or a moment at which it ends")

    def progress(self, step: int, seconds: float) -> float:
        """Share of the budget that is spent, 0 to 1; seconds: those of training so far, in earlier runs too."""
        by_steps = step / self.steps if self.steps else 0.0
        if self.ends_at is None:
            return min(1.0, by_steps)
        left = self.ends_at - time.monotonic()
        by_time = seconds / (seconds + left) if left > 0 else 1.0
        return min(1.0, max(by_steps, by_time))


def end_of_first(shares: Collection[float], now: float, end: float) -> float:
    """When the first of several stages ends that share the time until `end`; what one spends too much, all others lack.

    The shares need not add up to 1.
    """
    return now + max(0.0, end - now) * next(iter(shares)) / sum(shares)


@dataclass
class ProgressLine:
    """One line on the terminal: share done, figures, time left."""

    title: str
    started: float = field(default_factory=time.monotonic)
    begun_at: float | None = None  # share done when this run began; None before the first update
    shown: float = 0.0

    def update(self, progress: float, text: str = "") -> None:
        """Shows the share done, at most twice a second; a log file gets one line every half minute."""
        now = time.monotonic()
        if self.begun_at is None:
            self.begun_at = progress
        if progress < 1 and now - self.shown < (0.5 if sys.stderr.isatty() else 30):
            return
        self.shown = now
        done = progress - self.begun_at
        left = f"{(now - self.started) * (1 - progress) / done / 60:.1f} min left" if done > 0 else ""
        bar = "█" * int(progress * 24)
        end = "\r" if sys.stderr.isatty() and progress < 1 else "\n"
        line = f"{self.title:12} {bar:<24} {progress:6.1%}  {text}  {left}"
        print(line, end=end, file=sys.stderr, flush=True)


def plot_losses(losses: list[float], path: Path, title: str, size: tuple[int, int] = (640, 320)) -> None:
    """The smoothed loss over the training, on a logarithmic vertical axis, as a PNG."""
    if len(losses) < 2:
        return
    width, height = size
    window = max(1, len(losses) // 200)
    means = [sum(losses[i : i + window]) / len(losses[i : i + window]) for i in range(0, len(losses), window)]
    low, high = math.log(min(means)), math.log(max(means))
    span = max(high - low, 1e-6)
    picture = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(picture)
    points = [
        (40 + (width - 50) * i / max(1, len(means) - 1), 20 + (height - 40) * (high - math.log(mean)) / span)
        for i, mean in enumerate(means)
    ]
    draw.line(points, fill=(44, 110, 222), width=2)
    draw.text((40, 4), f"{title}: {means[-1]:.4f} at the end", fill="black")
    draw.text((2, 20), f"{math.exp(high):.3f}", fill="black")
    draw.text((2, height - 30), f"{math.exp(low):.3f}", fill="black")
    picture.save(path)
