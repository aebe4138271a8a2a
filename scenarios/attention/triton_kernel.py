"""FlashAttention-2's forward pass in Triton: one tile of queries a program, online softmax over tiles of keys.

Shapes: q, k, v, o are bf16 [B, S, H, D], contiguous; D is a power of two of at least 16. TMA loads of Q, K and V as
rows of a [B * S, H * D] matrix, so that a tile at the end of a sequence holds rows of the next one, or zeros: keys
beyond S are masked, rows beyond S are not stored. Tiles that every row sees in full need no mask and come first.
"""
# mypy: ignore-errors

from __future__ import annotations

import functools
import math

import triton
import triton.language as tl
from triton.runtime.errors import OutOfResources, PTXASError
from triton.tools.tensor_descriptor import TensorDescriptor

CONFIGS = (
    (128, 64, 8, 2, 128),
    (128, 128, 8, 2, None),
    (128, 128, 8, 3, None),
    (128, 64, 8, 3, None),
    (64, 64, 4, 2, None),
)
"""Query rows, keys, warps, pipeline stages and most registers of a thread: the fastest is kept for each shape.

On sm_90a none of them spills; the first and the last let two programs share a multiprocessor, the others one.
"""
Config = tuple[int, int, int, int, int | None]


def attention(q, k, v, *, causal):
    """softmax(q k^T / sqrt(D)) v as a new tensor."""
    o = q.new_empty(q.shape)
    key = (*q.shape, causal, q.device)
    if key not in _best:
        _best[key] = _fastest(q, k, v, o, causal)
    _run(q, k, v, o, causal, _best[key])
    return o


_best: dict[tuple, Config] = {}
"""By shape, mask and device."""


def _fastest(q, k, v, o, causal) -> Config:
    times = {}
    for config in CONFIGS:
        run = functools.partial(_run, q, k, v, o, causal, config)
        try:
            times[config] = triton.testing.do_bench(run, warmup=10, rep=40, return_mode="median")
        except (OutOfResources, PTXASError):
            continue
    return min(times, key=times.get)


def _run(q, k, v, o, causal, config: Config) -> None:
    B, S, H, D = q.shape
    rows, keys, warps, stages, registers = config
    matrix, strides = [B * S, H * D], [H * D, 1]
    q_tiles = TensorDescriptor(q, matrix, strides, [rows, D])
    k_tiles, v_tiles = (TensorDescriptor(x, matrix, strides, [keys, D]) for x in (k, v))
    _kernel[(triton.cdiv(S, rows), B * H)](
        q_tiles, k_tiles, v_tiles, o, D**-0.5 * math.log2(math.e), S, H,
        D=D, ROWS=rows, KEYS=keys, CAUSAL=causal, num_warps=warps, num_stages=stages, maxnreg=registers,
    )  # fmt: skip


@triton.jit
def _kernel(
    q_tiles, k_tiles, v_tiles, o, scale, S, H,
    D: tl.constexpr, ROWS: tl.constexpr, KEYS: tl.constexpr, CAUSAL: tl.constexpr,
):  # fmt: skip
    """`scale` holds log2(e), so that the exponentials are powers of two."""
    tile = tl.program_id(0)
    if CAUSAL:
        tile = tl.num_programs(0) - 1 - tile  # the longest first
    batch, head = tl.program_id(1) // H, tl.program_id(1) % H
    first, row, column = tile * ROWS, batch * S, head * D
    i = first + tl.arange(0, ROWS)

    q = q_tiles.load([row + first, column])
    acc = tl.zeros([ROWS, D], tl.float32)
    total = tl.zeros([ROWS], tl.float32)
    highest = tl.full([ROWS], float("-inf"), tl.float32)

    if CAUSAL:
        whole, end = first // KEYS * KEYS, tl.minimum(first + ROWS, S)
    else:
        whole, end = S // KEYS * KEYS, S
    acc, total, highest = _keys(
        q, k_tiles, v_tiles, acc, total, highest, i, 0, whole, S, row, column, scale, KEYS, CAUSAL, False
    )
    acc, total, highest = _keys(
        q, k_tiles, v_tiles, acc, total, highest, i, whole, end, S, row, column, scale, KEYS, CAUSAL, True
    )

    acc = acc / total[:, None]
    at = o + (row + i[:, None]).to(tl.int64) * (H * D) + column + tl.arange(0, D)[None, :]
    tl.store(at, acc.to(o.dtype.element_ty), mask=i[:, None] < S)


@triton.jit
def _keys(
    q, k_tiles, v_tiles, acc, total, highest, i, start, end, S, row, column, scale,
    KEYS: tl.constexpr, CAUSAL: tl.constexpr, MASKED: tl.constexpr,
):  # fmt: skip
    """Take the keys from `start` to `end` into the running output, sum and maximum of each row."""
    for first in tl.range(start, end, KEYS):
        k = k_tiles.load([row + first, column])
        s = tl.dot(q, k.T)
        if MASKED:
            j = first + tl.arange(0, KEYS)
            seen = j[None, :] < S
            if CAUSAL:
                seen = seen & (j[None, :] <= i[:, None])
            s = tl.where(seen, s, float("-inf"))
        now = tl.maximum(highest, tl.max(s, 1) * scale)
        p = tl.exp2(s * scale - now[:, None])
        shrink = tl.exp2(highest - now)
        total = total * shrink + tl.sum(p, 1)
        acc = acc * shrink[:, None]
        v = v_tiles.load([row + first, column])
        acc = tl.dot(p.to(v.dtype), v, acc)
        highest = now
    return acc, total, highest
