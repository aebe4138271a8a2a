"""Residual addition with RMS normalisation of rows: inputs of several kinds, what is expected, and what to beat."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch

EPS = 1e-6
ABSOLUTE = 1e-6
"""Allowed error of y beside one rounding, which is 2^-8 |y|: the tolerance's magnitude."""
BLOCK_BYTES = 1 << 20
"""Of a block of rows in FP32, which stays in the cache: the fastest of 2^14 to 2^21; small ones mean many calls."""
Outputs = dict[str, torch.Tensor]


def make_inputs(case: Any, seed: int, device: str) -> dict[str, torch.Tensor]:
    """x and res as bf16 [M, N], |x| and |res| <= 1e4, and w as bf16 [N]; `case.inputs` names how they are drawn."""
    M, N = case.dims["M"], case.dims["N"]
    generator = torch.Generator(device).manual_seed(seed)
    x, res = (torch.randn(M, N, generator=generator, device=device) for _ in range(2))
    w = 1 + 0.5 * torch.randn(N, generator=generator, device=device)
    row = torch.arange(M, device=device).view(M, 1)
    match case.inputs:
        case "randn":
            res *= 3
        case "zeros":  # the first row and every second after it
            x[::2], res[::2] = 0.0, 0.0
        case "constant":
            x, res = (tensor[:, :1].expand(M, N) for tensor in (x, res))
        case "eps":  # so small that eps is about the mean square
            x, res = x * 1e-3, res * 1e-3
        case "tiny":  # their squares are denormal in FP32
            x, res = x * 1e-20, res * 1e-20
        case "subnormal":  # in BF16 and FP32: whole multiples of the smallest number there is
            x, res = torch.randint(-127, 128, (2, M, N), generator=generator, device=device).float() * 2.0**-133
        case "large":
            x, res = (torch.rand(2, M, N, generator=generator, device=device) * 2 - 1) * 1e4
        case "cancel":
            res = res / 64 - x
        case "spike":
            x, res = x * 1e-2, res * 1e-2
            at = torch.randint(N, (M, 1), generator=generator, device=device)
            x.scatter_(1, at, 1e4)
        case "uneven":
            x, res = (tensor * 10.0 ** (row % 7 - 3) for tensor in (x, res))
        case "ties":  # one unit in the last place of x is 1
            x = torch.randint(128, 256, (M, N), generator=generator, device=device).float()
            res = torch.where(res > 0, 0.5, -0.5)
        case other:
            raise ValueError(f"no input family '{other}'")
    return {"x": x.bfloat16(), "res": res.bfloat16(), "w": w.bfloat16()}


def reference(case: Any, inputs: dict[str, torch.Tensor]) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """{"r": (r, 0), "y": (y, |y| + 2^8 * 1e-6)}: r rounded to bf16, and y from it, in float64 up to 2^20 elements.

    Rounding a sum of two bf16 to fp32 first still gives the nearest bf16: fp32 has more than twice its bits.
    """
    exact = torch.float64 if inputs["x"].numel() <= 1 << 20 else torch.float32
    r = (inputs["x"].float() + inputs["res"].float()).bfloat16().to(exact)
    y = r * torch.rsqrt(r.square().mean(dim=1, keepdim=True) + EPS) * inputs["w"].to(exact)
    return {"r": (r, torch.zeros_like(r)), "y": (y, y.abs() + 2**8 * ABSOLUTE)}


def torch_blocked(case: Any, inputs: dict[str, torch.Tensor]) -> Outputs:
    """PyTorch as a careful user writes it: in blocks of rows that stay in the cache, in FP32 from r on.

    Nothing large is allocated: the outputs are the same tensors in each call of a shape, as candidates find theirs.
    """
    x, res, w = inputs["x"], inputs["res"], inputs["w"].float()
    r, y, wide = _buffers(*x.shape)
    for start in range(0, len(x), len(wide)):
        block = slice(start, start + len(wide))
        torch.add(x[block], res[block], out=r[block])
        f = wide[: len(r[block])].copy_(r[block])
        size = torch.linalg.vector_norm(f, dim=1, keepdim=True)
        factor = size.square_().div_(x.shape[1]).add_(EPS).rsqrt_()
        y[block].copy_(f.mul_(factor).mul_(w))
    return {"r": r, "y": y}


def torch_eager(case: Any, inputs: dict[str, torch.Tensor]) -> Outputs:
    """Two calls of PyTorch: the sum, and rms_norm of it."""
    return _two_calls(inputs["x"], inputs["res"], inputs["w"])


def torch_compile(case: Any, inputs: dict[str, torch.Tensor]) -> Outputs:
    """The same two calls, fused by torch.compile, which is told to round r as eager PyTorch does; slow on the first."""
    return _compiled()(inputs["x"], inputs["res"], inputs["w"])


def triton(case: Any, inputs: dict[str, torch.Tensor]) -> Outputs:
    """One kernel in Triton, a row a program; tuned on the first call of a shape."""
    from avo.scenarios.add_rmsnorm.triton_kernel import add_rmsnorm

    r, y = add_rmsnorm(inputs["x"], inputs["res"], inputs["w"], EPS)  # type: ignore[no-untyped-call]
    return {"r": r, "y": y}


def quack_unfused(case: Any, inputs: dict[str, torch.Tensor]) -> Outputs:
    """PyTorch's sum, then the kernel of quack-kernels, which FlashAttention-4 needs too; slow on first calls.

    Their fused form normalises the sum before it is rounded: another y, off by up to twice the error allowed here.
    """
    from quack import rmsnorm  # type: ignore[import-not-found, unused-ignore]

    r = inputs["x"] + inputs["res"]
    return {"r": r, "y": rmsnorm(r, inputs["w"], eps=EPS)}


@functools.lru_cache(maxsize=1)
def _buffers(M: int, N: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """r, y, and a block of rows in FP32."""
    r, y = torch.empty(2, M, N, dtype=torch.bfloat16)
    return r, y, torch.empty(max(1, BLOCK_BYTES // (4 * N)), N)


def _two_calls(x: torch.Tensor, res: torch.Tensor, w: torch.Tensor) -> Outputs:
    r = x + res
    return {"r": r, "y": torch.nn.functional.rms_norm(r, w.shape, w, EPS)}


@functools.cache
def _compiled() -> Callable[..., Outputs]:
    return torch.compile(_two_calls, dynamic=False, options={"emulate_precision_casts": True})
