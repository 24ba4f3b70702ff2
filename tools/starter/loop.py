"""The training loop that all stages share: AdamW, learning-rate schedule, EMA, checkpoints, resuming.

`loss_at(step)` must be a function of the step alone (its random numbers seeded by the step): then a resumed run makes
the same updates as one that never stopped.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from tools.starter.checkpoint import load_state, save_state
from tools.starter.progress import Budget, ProgressLine, plot_losses

WARM_UP_STEPS = 100
CHECKPOINT_SECONDS = 60
GRADIENT_NORM = 1.0


@dataclass(frozen=True)
class Recipe:
    """learning_rate: its peak. decay_from: share of the budget after which it falls to final_rate times the peak."""

    learning_rate: float
    decay_from: float
    ema_decay: float
    weight_decay: float = 0.01
    final_rate: float = 0.0


class Training:
    """A model in training: weights, their moving average, the optimiser and the counters."""

    def __init__(self, title: str, model: nn.Module, recipe: Recipe, checkpoint: Path) -> None:
        self.title = title
        self.model = model
        self.recipe = recipe
        self.checkpoint = checkpoint
        self.parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self.optimiser = torch.optim.AdamW(
            self.parameters.values(), recipe.learning_rate, betas=(0.9, 0.99), weight_decay=recipe.weight_decay
        )
        self.ema = {name: p.detach().clone() for name, p in self.parameters.items()}
        self.step = 0
        self.seconds = 0.0
        self.losses: list[float] = []

    def restore(self) -> bool:
        """Continues from the stage's checkpoint; False when there is none."""
        if not self.checkpoint.is_file():
            return False
        state = load_state(self.checkpoint)
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(state["model"][name])
                self.ema[name].copy_(state["ema"][name])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.seconds, self.losses = state["step"], state["seconds"], state["losses"]
        return True

    def save(self) -> None:
        """Writes the stage's checkpoint and its loss curve."""
        state = {
            "model": {name: p.detach() for name, p in self.parameters.items()},
            "ema": self.ema,
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "losses": self.losses,
        }
        save_state(self.checkpoint, state)
        plot_losses(self.losses, self.checkpoint.with_suffix(".loss.png"), self.title)

    def run(
        self,
        loss_at: Callable[[int], Tensor],
        budget: Budget,
        on_checkpoint: Callable[[], None] = lambda: None,
    ) -> None:
        """Trains until the budget is spent; saves every minute and at the end."""
        line = ProgressLine(self.title)
        saved_at = started = time.monotonic()
        seconds_before = self.seconds
        while (progress := budget.progress(self.step, self.seconds)) < 1:
            self._update(loss_at(self.step), self._rate(progress))
            now = time.monotonic()
            self.seconds = seconds_before + now - started
            recent = self.losses[-100:]
            line.update(
                progress, f"step {self.step}, {self.step / self.seconds:.2f}/s, loss {sum(recent) / len(recent):.4f}"
            )
            if now - saved_at > CHECKPOINT_SECONDS:
                self.save()
                on_checkpoint()
                saved_at = time.monotonic()
        self.save()
        on_checkpoint()

    def load_ema(self) -> None:
        """Puts the moving average into the model, for sampling and export."""
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(self.ema[name])

    def _rate(self, progress: float) -> float:
        warm_up = min(1.0, (self.step + 1) / WARM_UP_STEPS)
        left = (1 - progress) / (1 - self.recipe.decay_from)
        decay = self.recipe.final_rate + (1 - self.recipe.final_rate) * min(1.0, left)
        return self.recipe.learning_rate * warm_up * decay

    def _update(self, loss: Tensor, rate: float) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters.values(), GRADIENT_NORM)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        # A young average must forget its random start quickly.
        decay = min(self.recipe.ema_decay, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(list(self.ema.values()), [p.detach() for p in self.parameters.values()], 1 - decay)
        self.step += 1
        self.losses.append(loss.item())
