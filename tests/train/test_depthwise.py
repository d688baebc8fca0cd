"""Depthwise convolutions that learn: their gradients are those of the library's."""

import pytest
import torch
from torch.nn.functional import conv1d, conv2d, conv3d

from walloc_data.train.depthwise import learned_depthwise


@pytest.mark.parametrize(("dims", "side", "size"), [(1, 5, (9,)), (2, 3, (4, 7)), (2, 5, (3, 2)), (3, 3, (2, 5, 3))])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gradients(dims: int, side: int, size: tuple[int, ...], dtype: torch.dtype) -> None:
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(2, *size, 6, generator=draw).movedim(-1, 1).to(dtype).requires_grad_()
    kernels = torch.randn(6, *[side] * dims, generator=draw).requires_grad_()
    bias, weights = torch.randn(6, generator=draw).requires_grad_(), torch.randn(2, 6, *size, generator=draw)
    convolve = {1: conv1d, 2: conv2d, 3: conv3d}[dims]
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        ours = learned_depthwise(x, kernels, bias)
    exact = convolve(x.float(), kernels[:, None], bias, padding=side // 2, groups=6)
    near = {"rtol": 0.05, "atol": 0.1} if dtype == torch.bfloat16 else {"rtol": 1e-4, "atol": 1e-5}
    torch.testing.assert_close(ours.float(), exact, **near)
    found, wanted = (torch.autograd.grad((y.float() * weights).sum(), (x, kernels, bias)) for y in (ours, exact))
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one.float(), other.float(), **near)
    assert found[0].dtype == dtype


def test_of_what_is_not_learned_there_are_no_gradients() -> None:
    x, kernels = torch.randn(1, 3, 8, requires_grad=True), torch.randn(3, 5, requires_grad=True)
    [of_kernels] = torch.autograd.grad(learned_depthwise(x.detach(), kernels, torch.zeros(3)).sum(), [kernels])
    assert of_kernels.shape == (3, 5)
    [of_x] = torch.autograd.grad(learned_depthwise(x, kernels.detach(), torch.zeros(3)).sum(), [x])
    assert of_x.shape == x.shape
