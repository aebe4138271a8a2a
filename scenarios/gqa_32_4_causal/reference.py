"""Causal grouped-query attention: 32 heads of queries to 4 of keys, and other groups in the tests."""

from avo.scenarios.grouped_attention.reference import GroupedAttention, make_inputs

__all__ = ["fa3", "fa4", "make_inputs", "reference", "sample", "torch_cudnn", "torch_flash", "torch_sdpa"]

_attention = GroupedAttention(causal=True)
reference, sample = _attention.reference, _attention.sample
torch_sdpa, torch_cudnn, torch_flash = _attention.torch_sdpa, _attention.torch_cudnn, _attention.torch_flash
fa3, fa4 = _attention.fa3, _attention.fa4
