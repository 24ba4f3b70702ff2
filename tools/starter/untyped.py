"""What training uses of libraries that leave its types out, each told once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from peft import utils as peft_utils
from safetensors import torch as safetensors_torch
from torch import Tensor

_for_torch: Any = safetensors_torch
_peft: Any = peft_utils

save_file = cast("Callable[[dict[str, Tensor], Path, dict[str, str] | None], None]", _for_torch.save_file)
get_adapter = cast("Callable[[UNet2DConditionModel], dict[str, Tensor]]", _peft.get_peft_model_state_dict)
set_adapter = cast("Callable[[UNet2DConditionModel, dict[str, Tensor]], object]", _peft.set_peft_model_state_dict)
# Torch keeps it to its own optimisers, hence it is not declared.
foreach_lerp_ = cast("Callable[[list[Tensor], list[Tensor], float], None]", vars(torch)["_foreach_lerp_"])
