"""The training loop that all stages share: AdamW, learning-rate schedule, EMA, checkpoints, resuming.

`loss_of(*batch)` must be a function of the batch alone. Where `batch_at(step)` is one of the step alone (its random
numbers seeded by the step), a resumed run makes the same updates as one that never stopped. On CUDA a whole update is
recorded once as a graph and then replayed, since launching its thousands of small kernels takes longer than running
them.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tools.starter.checkpoint import load_state, save_state
from tools.starter.progress import Budget, ProgressLine, plot_losses
from tools.starter.untyped import foreach_lerp_

WARM_UP_STEPS = 100
CHECKPOINT_SECONDS = 60
GRADIENT_NORM = 1.0
REHEARSALS = 3  # updates at learning rate 0 before a graph is recorded, which lets libraries choose their kernels
STEPS_AHEAD = 8  # that are sent to a GPU before the loop waits for it

Batch = tuple[Tensor, ...]


@dataclass(frozen=True)
class Recipe:
    """learning_rate: its peak. decay_from: share of the budget after which it falls to final_rate times the peak."""

    learning_rate: float
    decay_from: float
    ema_decay: float
    weight_decay: float = 0.01
    final_rate: float = 0.0


class Training:
    """A model in training: weights, their moving average, the optimiser and the counters.

    recorded: whether an update may be recorded as a CUDA graph; not where its loss depends on more than the batch.
    """

    def __init__(self, title: str, model: nn.Module, recipe: Recipe, checkpoint: Path, recorded: bool = True) -> None:
        self.title = title
        self.model = model
        self.recipe = recipe
        self.checkpoint = checkpoint
        self.parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self.on_gpu = next(iter(self.parameters.values())).is_cuda
        self.recorded = recorded and self.on_gpu
        self.optimiser = torch.optim.AdamW(
            self.parameters.values(), betas=(0.9, 0.99), weight_decay=recipe.weight_decay, **self._where()
        )
        self.ema = {name: p.detach().clone() for name, p in self.parameters.items()}
        self.step = 0
        self.seconds = 0.0
        self.losses: list[float] = []
        self._replay: Callable[[Batch], Tensor] | None = None

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
        for group in self.optimiser.param_groups:
            group.update(self._where())
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
        batch_at: Callable[[int], Batch],
        loss_of: Callable[..., Tensor],
        budget: Budget,
        on_checkpoint: Callable[[], None] = lambda: None,
    ) -> None:
        """Trains until the budget is spent; saves every minute and at the end."""
        line = ProgressLine(self.title)
        saved_at = started = time.monotonic()
        seconds_before = self.seconds
        while (progress := budget.progress(self.step, self.seconds)) < 1:
            self.advance(batch_at(self.step), loss_of, progress)
            now = time.monotonic()
            self.seconds = seconds_before + now - started
            line.update(progress, f"step {self.step}, {self.step / self.seconds:.2f}/s, loss {self.recent():.4f}")
            if now - saved_at > CHECKPOINT_SECONDS:
                self.save()
                on_checkpoint()
                saved_at = time.monotonic()
        self._replay = None
        print(f"{self.title}: {self.step} steps in {self.seconds:.1f} s, loss {self.recent():.4f}", flush=True)
        self.save()
        on_checkpoint()

    def advance(self, batch: Batch, loss_of: Callable[..., Tensor], progress: float) -> None:
        """One update by itself, for stages in which two networks take turns; progress: share of the time spent."""
        loss = self.update(batch, loss_of, self._rate(progress))
        if not self.on_gpu or self.step % STEPS_AHEAD == 0:
            self.losses.append(loss.item())

    def recent(self) -> float:
        """Mean of the last losses."""
        recent = self.losses[-100:]
        return sum(recent) / len(recent) if recent else float("nan")

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

    def update(self, batch: Batch, loss_of: Callable[..., Tensor], rate: float) -> Tensor:
        """One step of the optimiser and the average; the loss before it, which a GPU may not have computed yet."""
        if self.recorded and self._replay is None:
            self._record(batch, loss_of)
        self._set_rate(rate)
        loss = self._replay(batch) if self._replay else self._optimise(batch, loss_of)
        # A young average must forget its random start quickly.
        decay = min(self.recipe.ema_decay, (1 + self.step) / (10 + self.step))
        foreach_lerp_(list(self.ema.values()), [p.detach() for p in self.parameters.values()], 1 - decay)
        self.step += 1
        return loss

    def _optimise(self, batch: Batch, loss_of: Callable[..., Tensor]) -> Tensor:
        self.optimiser.zero_grad(set_to_none=True)
        loss = loss_of(*batch)
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters.values(), GRADIENT_NORM)
        self.optimiser.step()
        return loss.detach()

    def _where(self) -> dict[str, Any]:
        """The optimiser's options that depend on the device; a graph reads its learning rate from the GPU."""
        rate = self.recipe.learning_rate
        if self.on_gpu:
            rate = torch.tensor(rate, device=next(iter(self.parameters.values())).device)
        return {"lr": rate, "fused": self.on_gpu, "capturable": self.on_gpu}

    def _set_rate(self, rate: float) -> None:
        for group in self.optimiser.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate

    def _record(self, batch: Batch, loss_of: Callable[..., Tensor]) -> None:
        """Records an update as a CUDA graph (PyTorch's "whole network capture"); without one where that fails."""
        inputs = tuple(tensor.clone() for tensor in batch)
        self._set_rate(0.0)
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(REHEARSALS):
                self._optimise(inputs, loss_of)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        self.optimiser.zero_grad(set_to_none=True)
        try:
            with torch.cuda.graph(graph):
                loss = self._optimise(inputs, loss_of)
        except RuntimeError as error:
            print(f"{self.title}: no CUDA graph, since {error}", file=sys.stderr, flush=True)
            torch.cuda.synchronize()
            self.recorded = False
            return

        def replay(batch: Batch) -> Tensor:
            for target, source in zip(inputs, batch, strict=True):
                target.copy_(source)
            graph.replay()
            return loss

        self._replay = replay
        print(f"{self.title}: updates are replayed from a CUDA graph", flush=True)
