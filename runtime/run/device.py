"""The device that a run computes on."""

import torch

from ppoc.runtime.errors import RunError


def choose_device(name: str) -> torch.device:
    """The torch device of `auto` (CUDA where there is one), `cpu` or `cuda`.

    Raises:
        RunError: CUDA is asked for and there is none.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise RunError("device: cuda was asked for, but torch finds no CUDA device here")
    return torch.device(name)
