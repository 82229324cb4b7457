"""LPIPS: the published names and shapes, and its distance against another way to compute it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from degrade import seeded
from models.lpips import LPIPS

ALEX = {0: (64, 3, 11), 3: (192, 64, 5), 6: (384, 192, 3), 8: (256, 384, 3), 10: (256, 256, 3)}
VGG = {
    0: (64, 3),
    2: (64, 64),
    5: (128, 64),
    7: (128, 128),
    10: (256, 128),
    12: (256, 256),
    14: (256, 256),
    17: (512, 256),
    19: (512, 512),
    21: (512, 512),
    24: (512, 512),
    26: (512, 512),
    28: (512, 512),
}
"""torchvision's convolutions: their places, and the first sides of their weights."""


@pytest.mark.parametrize(("kind", "layers", "parameters"), [("alex", ALEX, 2_469_696), ("vgg", VGG, 14_714_688)])
def test_the_state_dict_is_the_published_one(kind, layers, parameters):
    with torch.device("meta"):
        state = LPIPS(kind).state_dict()
    expected = {f"features.{i}.{name}" for i in layers for name in ("weight", "bias")}
    assert set(state) == expected | {f"lin{i}.model.1.weight" for i in range(5)}
    for i, shape in layers.items():
        assert (
            tuple(state[f"features.{i}.weight"].shape)[: len(shape)] == shape and state[f"features.{i}.bias"].shape == shape[:1]
        )
    assert sum(value.numel() for name, value in state.items() if name.startswith("features")) == parameters
    widths = [tuple(state[f"lin{i}.model.1.weight"].shape) for i in range(5)]
    assert widths == [
        (1, {"alex": a, "vgg": v}[kind], 1, 1) for a, v in zip((64, 192, 384, 256, 256), (64, 128, 256, 512, 512), strict=True)
    ]


def reference(kind: str, state: dict[str, torch.Tensor], images: list[torch.Tensor]) -> np.ndarray:
    """In NumPy but for convolutions and pools, each layer by its place."""
    pools = {"alex": {0: 3, 3: 3}, "vgg": {2: 2, 7: 2, 14: 2, 21: 2}}[kind]
    taps = {"alex": [0, 3, 6, 8, 10], "vgg": [2, 7, 14, 21, 28]}[kind]
    shift, scale = np.array([-0.030, -0.088, -0.188]), np.array([0.458, 0.448, 0.450])
    units: list[list[np.ndarray]] = []
    for image in images:
        x = torch.from_numpy((image.numpy() - shift[:, None, None]) / scale[:, None, None])
        found = []
        for i in ALEX if kind == "alex" else VGG:
            weight, bias = (state[f"features.{i}.{name}"].double() for name in ("weight", "bias"))
            first = kind == "alex" and i == 0
            x = F.conv2d(x, weight, bias, stride=4 if first else 1, padding=2 if first else weight.shape[-1] // 2).clamp(min=0)
            if i in taps:
                f = x.numpy()
                found.append(f / (np.sqrt((f**2).sum(1, keepdims=True)) + 1e-10))
            if i in pools:
                x = F.max_pool2d(x, pools[i], 2)
        units.append(found)
    total = np.zeros(len(images[0]))
    for i, (a, b) in enumerate(zip(*units, strict=True)):
        head = state[f"lin{i}.model.1.weight"].double().numpy()[0, :, 0, 0]
        total += np.einsum("bchw,c->bhw", (a - b) ** 2, head).mean((1, 2))
    return total


@pytest.mark.parametrize(("kind", "size"), [("alex", (43, 36)), ("vgg", (16, 19))])
def test_the_distance(kind, size):
    """By random weights, within 1e-5; 0 for equal images; one line for images that are too small."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = LPIPS(kind).eval().requires_grad_(False)
    state = network.state_dict()
    for name, value in state.items():
        if name.startswith("lin"):
            value.abs_().mul_(50)
    x, y = (torch.rand(2, 3, *size, generator=seeded(seed)) * 2 - 1 for seed in (0, 1))
    assert network(x, y).numpy() == pytest.approx(reference(kind, state, [x, y]), rel=1e-5)
    assert network(x, x).tolist() == [0, 0] and float(network(x, y).min()) > 0
    with pytest.raises(ValueError, match=rf"LPIPS with {kind} takes images of (31|16) pixels or more, got \(30, 15\)"):
        network(x[:, :, :1, :1].expand(-1, -1, 30, 15), y)
