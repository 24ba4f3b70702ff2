"""Training a LoRA: low-rank layers beside a denoiser's own, which stay as they are.

Hu et al. 2021 (arXiv:2106.09685), with the loss of Ho et al. 2020 (arXiv:2006.11239), eq. 14. What happens in a step
depends on the seed and the number of the step alone, so a training that was stopped goes on to the very same bits.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import peft
import safetensors.torch
import torch
from peft import LoraConfig, inject_adapter_in_model
from safetensors import SafetensorError
from torch import Tensor
from torch.nn.functional import mse_loss

from nodes import fit
from nodes.backend import (
    denoise,
    families,
    guidance,
    loading,
    packing,
    pieces,
    placing,
    pool,
    process,
    share,
    solvers,
    widening,
)
from nodes.backend import noise as noises
from nodes.backend.families.family import Asked, Trained
from nodes.backend.schedules import sigmas_for
from nodes.backend.training_data import Examples
from nodes.types import Conditioning, Diffusion, Flow, History, Model, Network, Process

_peft: Any = peft  # what gathers the layers is not declared

NAME = "trained"
CAPTION_DROPOUT = 0.1  # Ho & Salimans 2022 (arXiv:2207.12598), sec. 4.1: guidance keeps working
WARMUP = 20  # steps
MAX_NORM = 1.0  # of the gradient
KEY = "denoodle training"
SAMPLE_STEPS, SAMPLE_GUIDANCE = 12, 4.0
SEED_STRIDE = 0x7F4A7C15  # odd, so that no two of 2^32 steps have one seed


@dataclass(frozen=True, slots=True)
class Settings:
    """All that decides a training but its length and its pictures."""

    layers: Trained
    rank: int
    learning_rate: float
    batch: int
    seed: int


def _layers(net: Any, ends: Sequence[str]) -> list[str]:
    """The layers whose names end so, without lists of layers that are called the same."""
    return [
        name
        for name, module in net.named_modules()
        if not isinstance(module, placing.CONTAINERS) and f".{name}".endswith(tuple(f".{end}" for end in ends))
    ]


class Training:
    """A denoiser, its low-rank layers and their optimiser, after some steps.

    step: how many were made. losses: of each of them.
    """

    def __init__(self, model: Model, settings: Settings, examples: Examples) -> None:
        if model.loras:
            raise ValueError("train on the model itself: link the checkpoint, not a model with LoRAs on it")
        self.model, self.settings, self.examples = model, settings, examples
        self.step, self.losses = 0, list[float]()
        self.family = families.of(model.network.family)
        fit.check_prompt(model, fit.prompt_is(examples.empty))
        fit.check_shown(model, None, fit.prompt_is(examples.empty))
        fit.check_latent(model, tuple(examples.latents.shape))
        device = pool.device()
        self._autocast = autocast(device)
        self.net: Any = _trainable(model.network, self._autocast)
        if pieces.halvings():
            self.net.enable_gradient_checkpointing()  # blocks run once more on the way back, to the same bits
        targets = _layers(self.net, self.family.trained[settings.layers])
        rank = settings.rank
        inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=rank, target_modules=targets), self.net, NAME)
        packing.unpacked(self.net)  # with the layers beside its own, which are made of the same class
        named = [(name, p) for name, p in self.net.named_parameters() if p.requires_grad]
        if device.type != "cpu":  # there they widen with the weights beside them
            for _, parameter in named:
                parameter.data = parameter.data.float()
        self.parameters: list[Any] = [parameter for _, parameter in named]
        self._begin([name for name, _ in named])
        self.optimizer = torch.optim.AdamW(self.parameters, settings.learning_rate, weight_decay=0.01)

    def _begin(self, names: Sequence[str]) -> None:
        """A small and random, B zero, so that the network starts as it was: LoRA, sec. 4.1."""
        generator = noises.generator(self.settings.seed)
        with torch.no_grad():
            for name, parameter in zip(names, self.parameters, strict=True):
                if ".lora_A." in name:
                    std = 1 / math.sqrt(parameter[0].numel())
                    parameter.copy_(torch.randn(parameter.shape, generator=generator) * std)

    def advance(self) -> None:
        """One step: a batch of noised pictures, and the layers a little better at telling the noise."""
        generator = noises.generator(_step_seed(self.settings.seed, self.step + 1))
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * min(1.0, (self.step + 1) / WARMUP)
        loss = self._loss(generator)
        if not math.isfinite(loss.item()):
            raise ValueError(f"the training diverged at step {self.step + 1}; lower the learning rate")
        self.optimizer.zero_grad()
        cast(Any, loss).backward()
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, MAX_NORM)
        if not math.isfinite(norm.item()):
            raise ValueError(f"the training diverged at step {self.step + 1}; lower the learning rate")
        cast(Any, self.optimizer).step()
        self.losses.append(loss.item())
        self.step += 1

    def _loss(self, generator: torch.Generator) -> Tensor:
        """The mean squared error of the network's prediction: Ho et al. 2020 (arXiv:2006.11239), eq. 14."""
        examples, batch, device = self.examples, self.settings.batch, pool.device()
        picked = torch.randint(len(examples.latents), (batch,), generator=generator)
        dropped = torch.rand(batch, generator=generator) < CAPTION_DROPOUT
        places = self._places(generator)
        clean = examples.latents[picked]
        noise = torch.randn(clean.shape, generator=generator)
        indices: list[int] = cast(Any, picked).tolist()
        captions = [
            examples.empty if drop else examples.captions[i] for i, drop in zip(indices, dropped.unbind(), strict=True)
        ]
        noised, wanted, timesteps = noised_to(self.model.process, clean, noise, places)
        with self._precision():
            prediction = self._predict(noised.to(device), timesteps.to(device), captions)
        return mse_loss(prediction.float(), wanted.to(device))

    def _precision(self) -> torch.autocast:
        """What the network computes in: see `autocast`."""
        return torch.autocast(pool.device().type, self._autocast, enabled=self._autocast is not None)

    def _predict(self, x: Tensor, timesteps: Tensor, captions: Sequence[Conditioning]) -> Tensor:
        """Each item of the batch has a noise level and a caption of its own."""
        factor = self.model.space.factor
        size = (x.shape[-2] * factor, x.shape[-1] * factor)
        return self.family.predict(self.net, self.model, Asked(x, timesteps, tuple(captions), size))

    def _places(self, generator: torch.Generator) -> Tensor:
        """Where between clean, 0, and noise, 1, each of the batch is: spread over it, the "low-discrepancy sampler" of
        Kingma et al. 2021 (arXiv:2107.00630), app. I.1.
        """
        batch = self.settings.batch
        return (torch.rand(1, generator=generator) + torch.arange(batch) / batch) % 1

    @torch.inference_mode()
    def sample(self, prompt: Conditioning, seed: int) -> Tensor:
        """A latent of the prompt by the network as it is now."""
        shape = self.examples.latents[:1].shape
        sized = process.at_size(self.model.process, shape[-2], shape[-1])
        sigmas = sigmas_for(sized, self.family.defaults.schedule, SAMPLE_STEPS, 1.0)
        x = noises.draw(shape, seed, 0) * sigmas[0]
        history = History()
        together = self.family.together((self.examples.empty, prompt))
        scale = min(SAMPLE_GUIDANCE, self.family.defaults.guidance_scale)  # 1 for those distilled from guidance

        def denoised(x: Tensor, sigma: float) -> Tensor:
            return guidance.guided(
                lambda x, prompts: denoise.predict(self.net, self.model, [], x, sigma, prompts),
                *(x, prompt, self.examples.empty, scale),
                together=together,
                push=self.family.combined,
            )

        for index in range(len(sigmas) - 1):
            levels = sigmas[index], sigmas[index + 1]
            with self._precision():
                x, _, history = solvers.step("dpmpp_2m", sized, denoised, x, *levels, history, seed, index)
        return x

    def lora(self) -> bytes:
        """The layers as the bytes of a LoRA file in the layout of diffusers."""
        state: dict[str, Tensor] = _peft.get_peft_model_state_dict(self.net, adapter_name=NAME)
        tensors = {
            f"{self.model.network.role}.{name}": tensor.detach().cpu().contiguous() for name, tensor in state.items()
        }
        return safetensors.torch.save(tensors, {"format": "pt"})

    def state(self) -> bytes:
        """All that going on needs, as the bytes of a safetensors file."""
        tensors = {f"{i}.value": parameter.detach() for i, parameter in enumerate(self.parameters)}
        for i, moments in self.optimizer.state_dict()["state"].items():
            tensors |= {f"{i}.{name}": tensor for name, tensor in moments.items()}
        story = json.dumps({"step": self.step, "losses": self.losses})
        return safetensors.torch.save({name: t.cpu().contiguous() for name, t in tensors.items()}, {KEY: story})

    def restore(self, path: Path, max_step: int) -> None:
        """Go on from a state of this very training; not from one that is past `max_step`.

        Raises ValueError when the file is no such state.
        """
        try:
            data = path.read_bytes()
            header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
            story = json.loads(header["__metadata__"][KEY])
            if story["step"] <= max_step:
                self._load(safetensors.torch.load(data))
                self.step, self.losses = story["step"], story["losses"]
        except (SafetensorError, OSError, ValueError, KeyError, RuntimeError) as error:
            raise ValueError(f"{path} is damaged; delete it to begin this training anew") from error

    def _load(self, tensors: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for i, parameter in enumerate(self.parameters):
                parameter.copy_(tensors[f"{i}.value"])
        moments = ("step", "exp_avg", "exp_avg_sq")
        state = {i: {name: tensors[f"{i}.{name}"] for name in moments} for i in range(len(self.parameters))}
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": state})


def autocast(device: torch.device) -> torch.dtype | None:
    """What a training computes in where that is less than float32: only what the device has circuits for, and only what
    has the range of float32.
    """
    if device.type not in ("cuda", "xpu") or pool.dtype("bfloat16") != torch.bfloat16:
        return None
    kind: Any = getattr(torch, device.type)
    return torch.bfloat16 if kind.is_bf16_supported(including_emulation=False) else None


def _trainable(network: Network, autocast: torch.dtype | None) -> Any:
    """A twin of the pool's network, over its weights. Where they are of half precision, and nothing widens them while
    they are computed with, gradients would vanish: only then they are loaded once more.
    """
    shared = pool.network(network, whole=True)
    computed = widening.computed_in(shared)
    if computed == torch.float32:
        return share.twin(shared)
    if autocast is not None:
        return _with_wide_vectors(share.twin(shared))
    del shared
    pool.free(network)
    return widening.widened(loading.load(network, pool.device(), torch.float32), torch.float32, kept=True)


def _with_wide_vectors(twin: Any) -> Any:
    """What norms scale by in float32, as they are computed; it is next to nothing beside the matrices."""
    for module in twin.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            if parameter.is_floating_point() and parameter.ndim < 2:
                setattr(module, name, torch.nn.Parameter(parameter.float(), requires_grad=False))
    return twin


def _step_seed(seed: int, step: int) -> int:
    """Of the draws of one step: the lower half of the seed strides, the upper one stays."""
    return seed - (seed & noises.LOW) + (seed + step * SEED_STRIDE) % 2**32


def noised_to(process_: Process, clean: Tensor, noise: Tensor, places: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What a network is shown and what it is to tell of it, with the timesteps that it is told.

    places: for each of the batch, from 0 (clean) to 1 (noise).
    """
    if isinstance(process_, Flow):
        sigmas = places.view(-1, 1, 1, 1)
        return (1 - sigmas) * clean + sigmas * noise, noise - clean, places * process.NUM_TIMESTEPS
    count = process.num_timesteps(process_)
    timesteps = (places * count).long().clamp(max=count - 1)
    kept = torch.tensor(process.alpha_bars(process_.noise_schedule))[timesteps].view(-1, 1, 1, 1)
    noised = kept.sqrt() * clean + (1 - kept).sqrt() * noise  # Ho et al. 2020, eq. 4
    return noised, target(process_, clean, noise, kept), timesteps


def target(diffusion: Diffusion, clean: Tensor, noise: Tensor, kept: Tensor) -> Tensor:
    """What a network is to predict in sqrt(kept) clean + sqrt(1 - kept) noise. kept: alpha_bar."""
    match diffusion.prediction:
        case "epsilon":
            return noise
        case "v_prediction":  # Salimans & Ho 2022 (arXiv:2202.00512), app. D
            return kept.sqrt() * noise - (1 - kept).sqrt() * clean
        case "sample":
            return clean
