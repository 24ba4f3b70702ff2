"""A training from where it is to its end: watched, saved on the way, and ready to be stopped at every step."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from torch import Tensor

from nodegraph.types import Picture
from nodes.backend import autoencoder, pool
from nodes.backend.denoise import reporting
from nodes.backend.previews import image_picture
from nodes.backend.training import Training
from nodes.backend.training_report import report
from nodes.types import Conditioning, Vae

Report = Callable[[int, int, Callable[[], Picture] | None], None]
"""(done, total, preview) of a training; may raise to stop it."""

PICTURE_SECONDS = 1.0  # between two previews: drawing one takes as long as a step of a small model


class Run:
    """samples: prompts, drawn every `sample_every` steps."""

    def __init__(
        self, training: Training, vae: Vae, samples: Sequence[Conditioning], sample_every: int, progress: Report
    ) -> None:
        self.training, self._progress = training, progress
        self._vae, self._prompts, self._sample_every = vae, samples, sample_every
        self._pictures: list[Tensor] = []
        self._shown = -PICTURE_SECONDS  # when the last preview was made

    def until(self, steps: int, save_every: int, save: Callable[[bytes], None]) -> None:
        """Train up to step `steps`. save: keeps a state, now and then, and when the training is stopped."""
        training, saved = self.training, self.training.step
        try:
            # After every block of the network, since a step of a large one takes seconds and Stop must not wait.
            with reporting(
                training.family.blocks(training.net), lambda done, total: self._progress(training.step, steps, None)
            ):
                self._sample()
                while training.step < steps:
                    training.advance()
                    if training.step % save_every == 0:
                        save(training.state())
                        saved = training.step
                    if training.step % self._sample_every == 0 or training.step == steps:
                        self._sample()
                    self._progress(training.step, steps, self._preview if self._is_due() else None)
        finally:
            if training.step > saved:
                save(training.state())

    def report(self) -> Tensor:
        """[1, 3, height, width] in 0..1."""
        return report(self.training.losses, self._pictures)

    def _sample(self) -> None:
        latents = [self.training.sample(prompt, seed) for seed, prompt in enumerate(self._prompts)]
        self._pictures = [autoencoder.decode(pool.network(self._vae.network), latent) for latent in latents]

    def _is_due(self) -> bool:
        return time.monotonic() - self._shown >= PICTURE_SECONDS

    def _preview(self) -> Picture:
        picture = image_picture(self.report())
        self._shown = time.monotonic()
        return picture
