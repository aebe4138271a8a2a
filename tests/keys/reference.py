"""Values in the order of their keys."""

import torch


def make_inputs(case, seed, device):
    """keys int32 [R, C] and values fp32 [R, C]."""
    generator = torch.Generator(device).manual_seed(seed)
    shape = (case.dims["R"], case.dims["C"])
    keys = torch.randint(2**30, shape, generator=generator, device=device).int()
    return {"keys": keys, "values": torch.randn(shape, generator=generator, device=device)}


def reference(case, inputs):
    """y [R, C] in float64: values in ascending order of their keys, those of equal keys as they stood."""
    order = inputs["keys"].sort(dim=1, stable=True).indices
    y = inputs["values"].double().gather(1, order)
    return {"y": (y, y.abs())}
