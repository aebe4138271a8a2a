"""The GPU of this machine: is it the one that a target needs, and how is it now."""

from __future__ import annotations

import subprocess

import torch

from avo.types import Missing


def require_gpu(target: str) -> None:
    """Raise Missing unless there is a GPU that runs code for `target`."""
    if not torch.cuda.is_available():
        raise Missing(f"no GPU here that PyTorch can use: candidates for {target} can be built (avo build), not scored")
    major, minor = torch.cuda.get_device_capability()
    if target.removesuffix("a") != f"sm_{major}{minor}":
        raise Missing(f"the GPU here is sm_{major}{minor}; a candidate for {target} does not run on it")


def gpu() -> str:
    """Name of the current GPU, and its clocks, power and temperature now."""
    fields = "name,driver_version,clocks.sm,power.draw,temperature.gpu,clocks_event_reasons.active"
    command = ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader", "-i", "0"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "GPU (nvidia-smi does not answer)"
