"""Attention without a mask: every query sees every key."""

from avo.scenarios.attention.reference import Attention, make_inputs

__all__ = ["fa3", "fa4", "make_inputs", "reference", "sample", "torch_cudnn", "torch_flash", "torch_sdpa", "triton"]

_attention = Attention(causal=False)
reference, sample = _attention.reference, _attention.sample
torch_sdpa, torch_cudnn, torch_flash = _attention.torch_sdpa, _attention.torch_cudnn, _attention.torch_flash
fa3, fa4, triton = _attention.fa3, _attention.fa4, _attention.triton
