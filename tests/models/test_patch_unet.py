from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from models import PatchUNet, PatchUNetConfig, load_published
from models.layers.embedding import sinusoid
from models.published import published_name
from models.receptive_field import receptive_field
from tests.reference import GOLDEN, assert_golden, given, golden, manifest, weight

SMALL = PatchUNetConfig(channels=8, groups=4, norm="pixel")
CONFIGS = [
    SMALL,
    replace(SMALL, residual_resampling=True),
    replace(SMALL, multipliers=(1, 2), kernels=(3, 5), blocks=2),
    replace(SMALL, multipliers=(1,), kernels=(3,)),
    replace(SMALL, multipliers=(1, 2), kernels=(3, 3), patch=2),
    replace(SMALL, multipliers=(1,), kernels=(1,), patch=3, residual_resampling=True),
    replace(SMALL, multipliers=(1, 1, 2, 2), kernels=(1, 3, 3, 1)),
    replace(SMALL, multipliers=(2, 1), kernels=(5, 1), scale_shift=False, residual_resampling=True),
]
MODELS = json.loads((GOLDEN / "sindiffusion_unet.json").read_text())["models"]


def published(model: str) -> PatchUNet:
    config = MODELS[model]["config"]
    network = PatchUNetConfig(
        channels=config["model_channels"],
        multipliers=tuple(config["channel_mult"]),
        blocks=config["num_res_blocks"],
        scale_shift=config["use_scale_shift_norm"],
        residual_resampling=config["resblock_updown"],
    ).build()
    return load_published(network, {name: weight(name, shape) for name, shape in MODELS[model]["parameters"]}).eval()


def outputs() -> list[str]:
    entries = manifest().values()
    return [e["name"] for e in entries if e["file"] == "sindiffusion_unet.npz" and "out" in e["name"].split("_")[-1]]


@pytest.mark.parametrize("name", outputs())
def test_published_outputs(name, monkeypatch):
    """On a GPU where there is one, without TF32: within 5 times the tolerance, since its sums are in another order."""
    _, _, params = golden(name)
    device, regrouped = ("cuda", 5) if torch.cuda.is_available() else ("cpu", 1)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    network, t = published(params["model"]).to(device), (torch.tensor(params["t"]) + 1) / 1000
    with torch.no_grad():
        assert_golden(network(given(params["x"]).to(device), t.to(device)).cpu(), name, regrouped)


def test_published_time_embedding():
    _, _, params = golden("ssn_temb_sinusoid")
    assert_golden(sinusoid(torch.tensor(params["t"]), params["dim"]), "ssn_temb_sinusoid")
    network, steps = published("ssn"), torch.tensor(golden("ssn_temb_mlp")[2]["t"])
    with torch.no_grad():
        assert_golden(network.time(sinusoid(steps, network.config.channels)), "ssn_temb_mlp")


@pytest.mark.parametrize("model", MODELS)
def test_published_parameter_count_and_names(model):
    network = published(model)
    assert sum(p.numel() for p in network.parameters()) == MODELS[model]["num_parameters"]
    assert [published_name(network, name) for name in network.state_dict()] == [name for name, _ in MODELS[model]["parameters"]]


def test_published_weights_from_data_parallel():
    network = published("ssn")
    state = {f"module.{published_name(network, name)}": value for name, value in network.state_dict().items()}
    again = load_published(network.config.build(), state)
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), again.parameters(), strict=True))


def test_foreign_weights_are_refused_whole():
    network = SMALL.build()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    state = {published_name(network, name): torch.ones_like(value) for name, value in before.items()}
    with pytest.raises(ValueError, match="1 entries missing"):
        load_published(network, {k: v for k, v in state.items() if k != "out.2.bias"})
    with pytest.raises(ValueError, match="surplus"):
        load_published(network, {**state, "label_emb.weight": torch.ones(1)})
    with pytest.raises(ValueError, match="has the shape"):
        load_published(network, {**state, "out.2.bias": torch.ones(4)})
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def positive(network: PatchUNet) -> PatchUNet:
    """All weights positive, so that no path cancels."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.rand_like(parameter) * 0.1 + 0.01)
    return network.double()


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: f"{c.multipliers}-{c.kernels}-{c.blocks}-{c.residual_resampling}")
def test_receptive_field_by_gradients(config):
    """The largest side of the square of inputs with a gradient, over the output pixels of one stride."""
    network = positive(config.build())
    field = receptive_field(config)
    side = (field // config.stride + 3) * config.stride  # a stride of room on either side, where a larger field would show
    x = torch.rand(1, 3, side, side, dtype=torch.float64, requires_grad=True)
    y = network(x, torch.tensor([0.5], dtype=torch.float64))
    centre, seen = side // 2 // config.stride * config.stride, []
    for pixel in range(centre, centre + config.stride):
        (gradient,) = torch.autograd.grad(y[0, :, pixel, pixel].sum(), x, retain_graph=True)
        for dim in (0, 1):
            touched = gradient[0].abs().amax((0, 1 - dim + 1)).nonzero()
            seen.append(int(touched.max() - touched.min()) + 1)
    assert max(seen) == field


def test_published_receptive_field():
    assert receptive_field(PatchUNetConfig()) == 101


def test_strictly_local_network_shifts_with_its_input():
    """Translation by the stride: equal away from the border, to rounding."""
    network = positive(SMALL.build())
    stride, field = SMALL.stride, receptive_field(SMALL)
    x = torch.rand(1, 3, 2 * field + stride, 2 * field + stride, dtype=torch.float64)
    t = torch.tensor([0.3], dtype=torch.float64)
    with torch.no_grad():
        y, shifted = network(x, t), network(x.roll((stride, stride), (-2, -1)), t)
    inner = slice(field // 2 + stride, -field // 2 - stride)
    torch.testing.assert_close(shifted.roll((-stride, -stride), (-2, -1))[..., inner, inner], y[..., inner, inner])


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: f"{c.multipliers}-{c.kernels}-{c.residual_resampling}")
@pytest.mark.parametrize("size", [(1, 1), (7, 13), (16, 8)])
def test_any_size_and_every_gradient(config, size):
    network = config.build()
    torch.manual_seed(0)
    for parameter in network.parameters():  # leave the zero initialisation, where gradients stop
        torch.nn.init.normal_(parameter, std=0.1)
    x = torch.randn(2, 3, *size)
    y = network(x, torch.tensor([0.1, 0.9]))
    assert y.shape == x.shape
    y.square().sum().backward()
    if min(size) > 1:
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_starts_at_zero():
    network = PatchUNetConfig(channels=32).build()
    assert network(torch.randn(1, 3, 8, 8), torch.ones(1)).abs().max() == 0


def test_compiles_without_breaks():
    network = SMALL.build()
    x, t = torch.randn(1, 3, 8, 8), torch.ones(1)
    compiled = torch.compile(network, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x, t), network(x, t))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kernels": (3, 3)}, "3 levels .* but 2 kernels"),
        ({"kernels": (3, 4, 3)}, "odd"),
        ({"channels": 48, "multipliers": (1, 1, 1)}, "multiple of groups=32"),
        ({"blocks": 0}, "at least 1"),
        ({"channels": 7, "norm": "pixel"}, "even"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        PatchUNetConfig(**settings)
