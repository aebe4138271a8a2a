"""y = A x in float64."""

import torch


def make_inputs(case, seed, device):
    """a [R, C] and x [C] in fp32."""
    generator = torch.Generator(device).manual_seed(seed)
    a = torch.randn(case.dims["R"], case.dims["C"], generator=generator, device=device)
    x = torch.randn(case.dims["C"], generator=generator, device=device)
    return {"a": a * 1e4 if case.inputs == "large" else a, "x": x}


def reference(case, inputs):
    """y and sum_j |a[i,j] x[j]|, [R] in float64."""
    a, x = inputs["a"].double(), inputs["x"].double()
    return {"y": (a @ x, a.abs() @ x.abs())}


def torch_mv(case, inputs):
    """PyTorch's matrix-vector product."""
    return inputs["a"] @ inputs["x"]
