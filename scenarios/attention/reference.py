"""Attention in plain PyTorch: inputs of several kinds, the expected output, and the libraries to beat."""

from __future__ import annotations

import math
import random
import threading
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

BLOCK = 64
"""Keys per block in the input families that change by block."""
ROWS = 512
"""Query rows per chunk of the reference: S x S is never held whole."""
SAMPLED = 4
"""Rows of a sample of the output."""
_SWITCHES = threading.Lock()
"""PyTorch's choice of an attention is one for all threads, and another one may measure on another GPU."""


def make_inputs(case: Any, seed: int, device: str) -> dict[str, torch.Tensor]:
    """q, k, v as bf16 [B, S, H, D], drawn from a generator of their own; `case.inputs` names the family."""
    B, S, H, D = (case.dims[name] for name in "BSHD")
    generator = torch.Generator(device).manual_seed(seed)
    q, k, v = (torch.randn(B, S, H, D, generator=generator, device=device) for _ in range(3))
    block = (torch.arange(S, device=device) // BLOCK).view(1, S, 1, 1)
    match case.inputs:
        case "randn":
            pass
        case "x3" | "x8":
            q, k = (x * float(case.inputs[1:]) for x in (q, k))
        case "rising" | "falling":
            height = block if case.inputs == "rising" else block.max() - block
            q[..., 0], k[..., :1] = math.sqrt(D), 4.0 * height.float()
        case "needle":
            inside = torch.randint(BLOCK, (S // BLOCK + 1,), generator=generator, device=device)
            at = (torch.arange(len(inside), device=device) * BLOCK + inside).clamp(max=S - 1)
            q[..., 0], k[..., 0] = math.sqrt(D), 0.0
            k[:, at, :, 0] = 8.0
        case "constant":
            q.zero_()
        case "late":  # three keys that are huge, nothing else; none of them among the first
            at = torch.randint(S // 4, max(S // 4 + 1, 3 * S // 4), (3,), generator=generator, device=device)
            k[:, at] *= 64.0
        case "huge_key":
            k[:, [0, S // 2, S - 1]] *= 30.0
        case "offset":
            v += 100.0
        case "denormal":
            q[:, ::2], k[:, ::3], v[:, ::5] = -0.0, 1e-39, 1e-39
        case other:
            raise ValueError(f"no input family '{other}'")
    return {"q": q.bfloat16(), "k": k.bfloat16(), "v": v.bfloat16()}


class Attention:
    """The reference and the baselines of one kind of attention. Inputs and outputs are [B, S, H, D]."""

    def __init__(self, *, causal: bool) -> None:
        self.causal = causal

    def reference(self, case: Any, inputs: dict[str, torch.Tensor]) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
        """{"o": (r, m)}: r = softmax(q k^T / sqrt(D)) v and m = softmax(...) |v|; when causal over keys j <= i.

        In float64 up to 512 keys and in float32 beyond, in chunks of rows. [B,S,H,D] -> [B,H,S,D] inside.
        """
        exact = torch.float64 if case.dims["S"] <= ROWS else torch.float32
        q, k, v = (inputs[name].to(exact).transpose(1, 2) for name in "qkv")
        S, scale = q.shape[2], q.shape[3] ** -0.5
        values = torch.cat([v, v.abs()], dim=-1)
        chunks = []
        for start in range(0, S, ROWS):
            end = min(start + ROWS, S)
            seen = end if self.causal else S
            logits = (q[:, :, start:end] @ k[:, :, :seen].transpose(2, 3)).mul_(scale)
            if self.causal:
                later = torch.ones(end - start, end, dtype=torch.bool, device=q.device).triu_(start + 1)
                logits.masked_fill_(later, -torch.inf)
            chunks.append(logits.softmax(-1) @ values[:, :, :seen])
        o, magnitude = torch.cat(chunks, dim=2).transpose(1, 2).chunk(2, dim=-1)
        return {"o": (o, magnitude)}

    def sample(self, case: Any, inputs: dict[str, torch.Tensor], seed: int) -> dict[str, tuple[torch.Tensor, ...]]:
        """{"o": (index, r, m)}: r and m of `reference` for SAMPLED rows of o in one head, the last row with them.

        index: the position of each of their elements in o, flat.
        """
        q, k, v = (inputs[name] for name in "qkv")
        B, S, H, D = q.shape
        drawn = random.Random(seed)
        b, h = drawn.randrange(B), drawn.randrange(H)
        g = h // (H // k.shape[2])  # the head of keys and values, where several heads of queries share one
        rows = torch.tensor([*(drawn.randrange(S) for _ in range(SAMPLED - 1)), S - 1]).to(q.device)
        logits = (q[b, rows, h].float() @ k[b, :, g].float().T).mul_(D**-0.5)
        if self.causal:
            logits.masked_fill_(torch.arange(S, device=q.device) > rows.unsqueeze(1), -torch.inf)
        weights, value = logits.softmax(-1), v[b, :, g].float()
        index = ((b * S + rows) * H + h).unsqueeze(1) * D + torch.arange(D, device=q.device)
        return {"o": (index.flatten(), (weights @ value).flatten(), (weights @ value.abs()).flatten())}

    def torch_sdpa(self, case: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """PyTorch's own scaled_dot_product_attention in bf16 (oneDNN on the CPU)."""
        q, k, v = (inputs[name].transpose(1, 2) for name in "qkv")
        o: torch.Tensor = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        return o.transpose(1, 2)

    def torch_cudnn(self, case: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """cuDNN's attention, through PyTorch."""
        with _SWITCHES, sdpa_kernel(SDPBackend.CUDNN_ATTENTION):
            return self.torch_sdpa(case, inputs)

    def torch_flash(self, case: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """FlashAttention-2, through PyTorch."""
        with _SWITCHES, sdpa_kernel(SDPBackend.FLASH_ATTENTION):
            return self.torch_sdpa(case, inputs)

    def fa3(self, case: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """FlashAttention-3, which is for Hopper alone."""
        from fa3_fwd_interface import flash_attn_func  # type: ignore[import-not-found, unused-ignore]

        return _first(flash_attn_func(inputs["q"], inputs["k"], inputs["v"], causal=self.causal))

    def fa4(self, case: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """FlashAttention-4, compiled on the first call of a kind of shape."""
        from flash_attn.cute import flash_attn_func  # type: ignore[import-not-found, unused-ignore]

        return _first(flash_attn_func(inputs["q"], inputs["k"], inputs["v"], causal=self.causal))

    def triton(self, case: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """FlashAttention-2 in Triton, for Hopper and later; tuned on the first call of a shape."""
        from avo.scenarios.attention.triton_kernel import attention

        return _first(attention(inputs["q"], inputs["k"], inputs["v"], causal=self.causal))  # type: ignore[no-untyped-call]


def _first(result: Any) -> torch.Tensor:
    """The output, where a library returns the sums of the softmax beside it."""
    output: torch.Tensor = result[0] if isinstance(result, tuple) else result
    return output
