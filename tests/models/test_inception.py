"""FID's Inception-v3: its state dict, its resizing, two of its blocks by hand, and features of any images."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from degrade import seeded
from models.inception import InceptionV3, resized


@pytest.fixture(scope="module")
def network() -> InceptionV3:
    """With random weights and statistics."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = InceptionV3().eval().requires_grad_(False)
        for name, value in network.state_dict().items():
            if ".bn." in name:
                value.add_(0.1 * torch.rand_like(value))
    return network


def test_the_state_dict_is_the_published_one(network):
    """torchvision's 23,834,568 parameters for 1000 classes, and eight classes more; 94 convolutions; some names and shapes."""
    state = network.state_dict()
    weights = {name: value for name, value in state.items() if "running" not in name}
    assert sum(value.numel() for value in weights.values()) == 23_834_568 + 8 * 2049
    assert len(state) == 94 * 5 + 2
    for name, shape in {
        "Conv2d_1a_3x3.conv.weight": (32, 3, 3, 3),
        "Conv2d_4a_3x3.bn.running_var": (192,),
        "Mixed_5b.branch_pool.conv.weight": (32, 192, 1, 1),
        "Mixed_5d.branch5x5_2.conv.weight": (64, 48, 5, 5),
        "Mixed_6a.branch3x3dbl_3.conv.weight": (96, 96, 3, 3),
        "Mixed_6a.branch3x3.conv.weight": (384, 288, 3, 3),
        "Mixed_6c.branch7x7dbl_3.conv.weight": (160, 160, 1, 7),
        "Mixed_6e.branch7x7_3.bn.bias": (192,),
        "Mixed_7a.branch7x7x3_3.conv.weight": (192, 192, 7, 1),
        "Mixed_7b.branch3x3dbl_2.conv.weight": (384, 448, 3, 3),
        "Mixed_7c.branch3x3_2a.conv.weight": (384, 384, 1, 3),
        "Mixed_7c.branch3x3dbl_3b.conv.weight": (384, 384, 3, 1),
        "fc.weight": (1008, 2048),
    }.items():
        assert tuple(state[name].shape) == shape


def test_resizing_is_that_of_tensorflow_1():
    """Pixel i of the result lies at i H/side, the last ones on the last of the image; the same size is left alone."""
    x = torch.tensor([[0.0, 4.0], [8.0, 12.0]])[None, None]
    assert resized(x, 4)[0, 0].tolist() == [[0, 2, 4, 4], [4, 6, 8, 8], [8, 10, 12, 12], [8, 10, 12, 12]]
    x = torch.rand(2, 3, 9, 12, generator=seeded(0))
    torch.testing.assert_close(resized(x, 3), x[..., ::3, ::4])
    x = torch.rand(1, 1, 5, 5, generator=seeded(0))
    assert torch.equal(resized(x, 5), x)


def convolved(block, name, x, padding):
    """Convolution, batch norm by its formula, ReLU."""
    layer = {key.removeprefix(f"{name}."): value for key, value in block.state_dict().items() if key.startswith(f"{name}.")}
    mean, variance, weight, bias = (
        layer[f"bn.{key}"][:, None, None] for key in ("running_mean", "running_var", "weight", "bias")
    )
    y = F.conv2d(x, layer["conv.weight"], padding=padding)
    return ((y - mean) / (variance + 0.001).sqrt() * weight + bias).clamp(min=0)


def test_average_pools_do_not_count_padding(network):
    """Mixed_5b by hand, within 1e-5: at the border, means are over the pixels there are."""
    block, x = network.Mixed_5b, torch.rand(2, 192, 5, 6, generator=seeded(0))
    ones = torch.ones(1, 1, 3, 3)
    there = F.conv2d(torch.ones(1, 1, 5, 6), ones, padding=1)
    average = F.conv2d(x.flatten(0, 1)[:, None], ones, padding=1).reshape(x.shape) / there
    five = convolved(block, "branch5x5_2", convolved(block, "branch5x5_1", x, 0), 2)
    three = convolved(block, "branch3x3dbl_2", convolved(block, "branch3x3dbl_1", x, 0), 1)
    three = convolved(block, "branch3x3dbl_3", three, 1)
    parts = [convolved(block, "branch1x1", x, 0), five, three, convolved(block, "branch_pool", average, 0)]
    torch.testing.assert_close(block(x), torch.cat(parts, 1), rtol=1e-5, atol=1e-5)


def test_the_last_block_has_a_max_pool_and_the_one_before_has_not(network):
    """Mixed_7b and Mixed_7c by hand, within 1e-5."""
    x = torch.rand(1, 2048, 3, 3, generator=seeded(0))
    average = F.avg_pool2d(F.pad(x, (1, 1, 1, 1)), 3, 1) * 9 / F.avg_pool2d(F.pad(torch.ones_like(x), (1, 1, 1, 1)), 3, 1) / 9
    largest = F.max_pool2d(F.pad(x, (1, 1, 1, 1), value=-torch.inf), 3, 1)
    for block, inputs, pooled in ((network.Mixed_7b, 1280, average), (network.Mixed_7c, 2048, largest)):
        y = x[:, :inputs]
        three = convolved(block, "branch3x3_1", y, 0)
        double = convolved(block, "branch3x3dbl_2", convolved(block, "branch3x3dbl_1", y, 0), 1)
        parts = [
            convolved(block, "branch1x1", y, 0),
            convolved(block, "branch3x3_2a", three, (0, 1)),
            convolved(block, "branch3x3_2b", three, (1, 0)),
            convolved(block, "branch3x3dbl_3a", double, (0, 1)),
            convolved(block, "branch3x3dbl_3b", double, (1, 0)),
            convolved(block, "branch_pool", pooled[:, :inputs], 0),
        ]
        torch.testing.assert_close(block(y), torch.cat(parts, 1), rtol=1e-5, atol=1e-5)


def test_features(network):
    """2048 of each image, of any size, which is taken as its 8-bit file."""
    x = torch.rand(2, 3, 20, 31, generator=seeded(0)) * 2 - 1
    bytes_ = ((x + 1) * 127.5).round() / 127.5 - 1
    features = network(x)
    assert features.shape == (2, 2048) and bool(features.isfinite().all()) and float(features.std(0).mean()) > 0
    torch.testing.assert_close(network(bytes_[:1]), features[:1], rtol=1e-4, atol=1e-5)
