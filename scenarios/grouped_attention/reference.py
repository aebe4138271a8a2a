"""Grouped-query attention: several heads of queries share one of keys and values."""

from __future__ import annotations

from typing import Any

import torch

from avo.scenarios.attention.reference import Attention
from avo.scenarios.attention.reference import make_inputs as inputs_of_all_heads


def make_inputs(case: Any, seed: int, device: str) -> dict[str, torch.Tensor]:
    """q as bf16 [B, S, H, D], k and v as bf16 [B, S, Hkv, D]; the families of attention, and two about heads.

    "heads": equal logits, and values that are 1 + the number of their head: so is o.
    "one_head": of keys and values, only the last head is not zero.
    """
    group, family = group_of(case), case.inputs
    about_heads = family in ("heads", "one_head")
    drawn = inputs_of_all_heads(case.model_copy(update={"inputs": "randn"}) if about_heads else case, seed, device)
    q = drawn["q"]
    k, v = (drawn[name][:, :, ::group].contiguous() for name in "kv")
    if family == "heads":
        q.zero_()
        v.copy_(1 + torch.arange(v.shape[2], device=device).view(1, 1, -1, 1).expand_as(v))
    elif family == "one_head":
        k[:, :, :-1], v[:, :, :-1] = 0, 0
    return {"q": q, "k": k, "v": v}


def group_of(case: Any) -> int:
    """Heads of queries to one of keys. Raises ValueError when they do not come out even."""
    group, left = divmod(case.dims["H"], case.dims["Hkv"])
    if left:
        raise ValueError(f"H = {case.dims['H']} is no multiple of Hkv = {case.dims['Hkv']}")
    return int(group)


class GroupedAttention(Attention):
    """Attention in which head h of the queries sees head h // (H / Hkv) of keys and values."""

    def reference(self, case: Any, inputs: dict[str, torch.Tensor]) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
        """That of attention, once every head of queries has a copy of its keys and values."""
        group = group_of(case)
        copied = {name: inputs[name].repeat_interleave(group, dim=2) for name in "kv"}
        return super().reference(case, inputs | copied)

    def torch_sdpa(self, case: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """PyTorch's own scaled_dot_product_attention in bf16, which knows groups."""
        q, k, v = (inputs[name].transpose(1, 2) for name in "qkv")
        o: torch.Tensor = torch.nn.functional.scaled_dot_product_attention(
            q, k, v, is_causal=self.causal, enable_gqa=True
        )
        return o.transpose(1, 2)
