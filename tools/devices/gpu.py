"""The GPUs of this machine: a list of them, the targets that they run, health checks, clocks and power."""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from avo.types import Clocks, Missing

ANSWER_SECONDS = 20.0
"""Seconds that a GPU has for a small sum; the driver may first have to end the kernel of a killed process."""
HELD_BACK = {
    0x4: "power cap", 0x8: "hardware slowdown", 0x20: "heat", 0x40: "heat (hardware)", 0x80: "power brake",
    0x2: "set clocks", 0x10: "sync boost", 0x200: "board limit", 0x400: "reliability",
}  # fmt: skip
"""NVML's clocks event reasons, bit -> name."""


@dataclass(frozen=True)
class Gpu:
    """A GPU that is visible to this process through CUDA."""

    identity: str
    """Its UUID, by which NVML and runners know it."""
    architecture: int
    """Compute capability as a whole number: 90 for sm_90."""

    def runs(self, target: str) -> bool:
        """Return True if it runs code for `target`.

        That is its own architecture or, unless `target` ends in "a", an earlier one of the same major version.
        """
        wanted = int(target.removeprefix("sm_").removesuffix("a"))
        like = wanted // 10 == self.architecture // 10 and wanted <= self.architecture
        return wanted == self.architecture or (like and not target.endswith("a"))


def gpus() -> tuple[Gpu, ...]:
    """Return the GPUs visible to this process, in CUDA's order, lost ones as ("", 0); none without a driver."""
    try:
        from cuda.bindings import runtime  # type: ignore[import-untyped]

        error, count = runtime.cudaGetDeviceCount()
    except (ImportError, RuntimeError):
        return ()
    asked = [] if int(error) else [runtime.cudaGetDeviceProperties(index) for index in range(count)]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    part = visible.partition(",")[0] if visible.startswith("MIG-") else ""  # of a GPU; CUDA shows no other then
    return tuple(
        Gpu("", 0) if int(error) else Gpu(part or _uuid(bytes(facts.uuid.bytes)), 10 * facts.major + facts.minor)
        for error, facts in asked
    )


def identities() -> tuple[str, ...]:
    """Return the UUIDs of the GPUs that are visible to this process, in CUDA's order."""
    return tuple(gpu.identity for gpu in gpus())


def fitting(target: str) -> dict[int, str]:
    """Return the GPUs that run code for `target`: CUDA's number -> UUID."""
    return {number: gpu.identity for number, gpu in enumerate(gpus()) if gpu.runs(target)}


def require_gpu(target: str) -> None:
    """Raise Missing unless there is a GPU that runs code for `target`."""
    import torch

    if not torch.cuda.is_available():
        raise Missing(f"no GPU here that PyTorch can use: candidates for {target} can be built (avo build), not scored")
    found = gpus()
    if not found:
        raise Missing(
            "PyTorch sees a GPU, cuda-bindings none, which may be too new for the driver: a newer driver, or: "
            "pip install 'cuda-python<13'"
        )
    if not fitting(target):
        here = " and ".join(sorted({f"sm_{gpu.architecture}" for gpu in found}))
        raise Missing(f"the GPU here is {here}; a candidate for {target} does not run on it")


def require_answer(device: int) -> None:
    """Raise Missing unless the GPU still computes correctly: a candidate may have left it hanging."""
    import torch

    deadline, event = time.monotonic() + ANSWER_SECONDS, torch.cuda.Event()  # type: ignore[no-untyped-call]
    remedy = "see nvidia-smi and dmesg; nothing is lost, and the same command goes on when it works again"
    try:
        total = torch.ones(1 << 20, device=f"cuda:{device}").sum()
        event.record()
        while not event.query():  # type: ignore[no-untyped-call]
            if time.monotonic() > deadline:
                raise Missing(f"GPU {device} has not answered for {ANSWER_SECONDS:g} s: {remedy}")
            time.sleep(0.0005)
        right = float(total) == 1 << 20
    except RuntimeError as error:
        raise Missing(f"GPU {device} fails ({str(error).partition(chr(10))[0]}): {remedy}") from error
    if not right:
        raise Missing(f"GPU {device} sums 2^20 ones to {float(total)}: {remedy}")


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Turn torch.OutOfMemoryError in the block into Missing, a message of one line."""
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        told = str(error).partition(".")[0]
        raise Missing(f"the GPU has too little memory left for this scenario: {told}") from error


def clocks(identity: str) -> Clocks | None:
    """Return the GPU's present clock, power and temperature; None where NVML does not report them."""
    from cuda.bindings import nvml

    try:
        handle = _handle(identity)
        reasons = int(nvml.device_get_current_clocks_event_reasons(handle))
        return Clocks(
            sm_mhz=int(nvml.device_get_clock_info(handle, nvml.ClockType.CLOCK_SM)),
            watts=nvml.device_get_power_usage(handle) / 1e3,
            celsius=int(nvml.device_get_temperature_v(handle, nvml.TemperatureSensors.TEMPERATURE_GPU)),
            held_back_by=", ".join(name for bit, name in HELD_BACK.items() if reasons & bit),
        )
    except (nvml.NvmlError, RuntimeError, AttributeError):
        return None


def gpu(device: int = 0) -> str:
    """Return name and driver of a GPU."""
    return names()[device]


def names() -> list[str]:
    """Return name and driver of every GPU that is visible to this process; needs no torch."""
    found = identities()
    if not found:
        return []
    from cuda.bindings import nvml

    try:
        driver = nvml.system_get_driver_version() if _handle(found[0]) else ""
        return [f"{nvml.device_get_name(_handle(identity))}, driver {driver}" for identity in found]
    except (nvml.NvmlError, RuntimeError):
        return [*found]


@functools.cache
def _handle(identity: str) -> Any:
    """Return NVML's handle of a GPU. Raises RuntimeError without a driver."""
    from cuda.bindings import nvml

    nvml.init_v2()
    return nvml.device_get_handle_by_uuid(identity)


def _uuid(raw: bytes) -> str:
    text = raw.hex()
    return f"GPU-{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:32]}"
