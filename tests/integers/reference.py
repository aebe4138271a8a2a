"""y = W x with weights of 4 bits, in float64."""

import torch


def make_inputs(case, seed, device):
    """codes uint8 [N, K / 2], two weights to a byte, the even one in the low half; x bf16 [K]."""
    generator = torch.Generator(device).manual_seed(seed)
    N, K = case.dims["N"], case.dims["K"]
    codes = torch.randint(256, (N, K // 2), generator=generator, device=device).to(torch.uint8)
    return {"codes": codes, "x": torch.randn(K, generator=generator, device=device).bfloat16()}


def reference(case, inputs):
    """y and sum_k |w[n,k] x[k]|, [N] in float64: w = code - 8."""
    codes = inputs["codes"]
    w = torch.stack([codes & 15, codes >> 4], dim=-1).flatten(1).double() - 8
    x = inputs["x"].double()
    return {"y": (w @ x, w.abs() @ x.abs())}
