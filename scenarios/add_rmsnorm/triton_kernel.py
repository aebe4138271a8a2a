"""Residual addition with RMS normalisation in Triton: a program takes one row, which stays in its registers.

Shapes: x, res, r, y are bf16 [M, N], contiguous, w is bf16 [N]. Rows are padded to a power of two, and masked.
"""
# mypy: ignore-errors

from __future__ import annotations

import functools

import triton
import triton.language as tl

WARPS = (4, 8, 16, 32)
"""Of a program: the fastest is kept for each shape."""


def add_rmsnorm(x, res, w, eps):
    """(r, y) as new tensors: r = x + res, rounded to bf16, and y = r * rsqrt(mean(r^2) + eps) * w."""
    r, y = x.new_empty(x.shape), x.new_empty(x.shape)
    key = (*x.shape, x.device)
    if key not in _best:
        _best[key] = _fastest(x, res, w, r, y, eps)
    _run(x, res, w, r, y, eps, _best[key])
    return r, y


_best: dict[tuple, int] = {}
"""Warps, by shape and device."""


def _fastest(x, res, w, r, y, eps) -> int:
    times = {}
    for warps in WARPS:
        run = functools.partial(_run, x, res, w, r, y, eps, warps)
        times[warps] = triton.testing.do_bench(run, warmup=10, rep=40, return_mode="median")
    return min(times, key=times.get)


def _run(x, res, w, r, y, eps, warps: int) -> None:
    M, N = x.shape
    _kernel[(M,)](x, res, w, r, y, N, eps, WIDTH=triton.next_power_of_2(N), num_warps=warps)


@triton.jit
def _kernel(x, res, w, r, y, N, eps, WIDTH: tl.constexpr):
    """WIDTH: N as a power of two, or the next larger one."""
    row = tl.program_id(0).to(tl.int64) * N
    column = tl.arange(0, WIDTH)
    inside = column < N
    total = tl.load(x + row + column, mask=inside, other=0.0).to(tl.float32)
    total += tl.load(res + row + column, mask=inside, other=0.0).to(tl.float32)
    rounded = total.to(tl.bfloat16)
    tl.store(r + row + column, rounded, mask=inside)
    f = rounded.to(tl.float32)
    factor = tl.rsqrt(tl.sum(f * f, axis=0) / N + eps)
    scale = tl.load(w + column, mask=inside, other=0.0).to(tl.float32)
    tl.store(y + row + column, (f * factor * scale).to(tl.bfloat16), mask=inside)
