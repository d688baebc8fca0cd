"""Modules wherever what they are to compute lies."""

import copy
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["Placed"]


class Placed:
    """Modules as they were loaded, and copies of them on the devices and in the dtypes that were asked for."""

    def __init__(self, modules: nn.ModuleDict) -> None:
        self.modules = modules
        self._copies: dict[tuple[torch.device, torch.dtype], nn.ModuleDict] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_copies": {}}

    def __call__(self, name: str, x: Tensor) -> Tensor:
        """What the module called `name` makes of `x`, where and as that is."""
        key = (x.device, x.dtype)
        if key not in self._copies:
            there = all((each.device, each.dtype) == key for each in self.modules.state_dict().values())
            with torch.inference_mode(mode=False):  # or no gradient could pass what was first used there
                self._copies[key] = self.modules if there else copy.deepcopy(self.modules).to(*key)
        found: Tensor = self._copies[key][name](x)
        return found
