"""The two networks of Cold Diffusion: published numbers, names and files; any size; attention at chosen levels."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from models import ConvNeXtUNetConfig, DDPMUNetConfig, load_published
from models.layers.embedding import sinusoid_inclusive
from models.published import published_name
from tests.reference import GOLDEN, assert_golden, given, golden, manifest, weight

MODELS = json.loads((GOLDEN / "cold_unet.json").read_text())["models"]
STEPS = 100
SMALL = [
    DDPMUNetConfig(channels=8, multipliers=(1, 2), blocks=1, attention=(1,), groups=4),
    DDPMUNetConfig(channels=8, multipliers=(1, 1, 2), blocks=2, attention=(0, 2), groups=4, dropout=0.0),
    ConvNeXtUNetConfig(channels=8, multipliers=(1, 2)),
    ConvNeXtUNetConfig(channels=8, multipliers=(1, 2, 2), time=False, residual=True),
    ConvNeXtUNetConfig(channels=8, multipliers=(1,)),
]


def config_of(model: str) -> DDPMUNetConfig | ConvNeXtUNetConfig:
    config = MODELS[model]["config"]
    if "ch_mult" in config:
        levels = [config["resolution"] >> level for level in range(len(config["ch_mult"]))]
        return DDPMUNetConfig(
            image_channels=config["in_channels"],
            channels=config["ch"],
            multipliers=tuple(config["ch_mult"]),
            blocks=config["num_res_blocks"],
            attention=tuple(levels.index(side) for side in config["attn_resolutions"]),
            dropout=config["dropout"],
            steps=STEPS,
        )
    return ConvNeXtUNetConfig(
        image_channels=config["channels"],
        channels=config["dim"],
        multipliers=tuple(config["dim_mults"]),
        time=config.get("with_time_emb", True),
        residual=config.get("residual", False),
        steps=STEPS,
    )


def published(model: str):
    state = {name: weight(name, shape) for name, shape in MODELS[model]["parameters"]}
    return load_published(config_of(model).build(), state).eval()


def outputs() -> list[str]:
    return [e["name"] for e in manifest().values() if e["file"] == "cold_unet.npz" and e["name"].endswith("out")]


@pytest.mark.parametrize("name", sorted(set(outputs())))
def test_published_outputs(name):
    _, _, params = golden(name)
    network, t = published(params["model"]), (torch.tensor(params["t"]) + 1) / STEPS
    with torch.no_grad():
        assert_golden(network(given(params["x"]), t), name, regrouped=2)


def test_published_time_embeddings():
    for model in ("convnext", "ddpm"):
        steps = torch.tensor(golden(f"{model}_temb_sinusoid")[2]["t"])
        assert_golden(sinusoid_inclusive(steps, config_of(model).channels), f"{model}_temb_sinusoid")
    network = published("convnext")
    with torch.no_grad():
        assert_golden(network.time(sinusoid_inclusive(steps, network.config.channels)), "convnext_temb_mlp")


@pytest.mark.parametrize("model", MODELS)
def test_published_parameter_count_and_names(model):
    """Without memory for the weights: 56 million in the largest."""
    with torch.device("meta"):
        network = config_of(model).build()
    assert sum(p.numel() for p in network.parameters()) == MODELS[model]["num_parameters"]
    assert {published_name(network, n) for n in network.state_dict()} == {n for n, _ in MODELS[model]["parameters"]}


@pytest.mark.parametrize("name", ["ddpm", "convnext"])
def test_published_checkpoint_file(name, tmp_path):
    """As the published trainer saves it: DataParallel around the diffusion model, which holds its blur kernels."""
    network = published(name)
    names = {n: f"module.denoise_fn.module.{published_name(network, n)}" for n in network.state_dict()}
    ema = {names[n]: value for n, value in network.state_dict().items()}
    ema |= {f"module.gaussian_kernels.{i}.weight": torch.rand(3, 1, 11, 11) for i in range(4)}
    raw = {key: torch.zeros_like(value) for key, value in ema.items()}
    torch.save({"step": 7, "model": raw, "ema": ema}, tmp_path / "model.pt")
    again = load_published(config_of(name).build(), tmp_path / "model.pt")
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), again.parameters(), strict=True))


def test_files_that_are_no_weights(tmp_path):
    network = SMALL[0].build()
    (tmp_path / "text.pt").write_text("hello")
    with pytest.raises(ValueError, match="cannot be read as a .pt file of tensors"):
        load_published(network, tmp_path / "text.pt")
    with pytest.raises(ValueError, match="does not exist"):
        load_published(network, tmp_path / "nothing.pt")
    with pytest.raises(ValueError, match="not the published weights"):
        load_published(network, {"conv_in.weight": torch.zeros(1)})
    torch.save({"x": print}, tmp_path / "code.pt")
    with pytest.raises(ValueError, match="cannot be read"):
        load_published(network, tmp_path / "code.pt")


@pytest.mark.parametrize("config", SMALL, ids=str)
@pytest.mark.parametrize("size", [(16, 16), (13, 9), (1, 5)])
def test_any_size_and_gradient(config, size):
    network = config.build()
    x = torch.rand(2, 3, *size)
    y = network(x, torch.tensor([0.1, 1.0]))
    assert y.shape == x.shape and y.isfinite().all()
    (y - x).square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def test_time_reaches_the_output():
    for config, known in [(SMALL[0], True), (SMALL[2], True), (SMALL[3], False)]:
        network = config.build().eval()
        for p in network.parameters():
            torch.nn.init.normal_(p, std=0.3)
        x = torch.rand(1, 3, 16, 16)
        same = torch.allclose(network(x, torch.tensor([0.2])), network(x, torch.tensor([0.9])))
        assert same != known


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DDPMUNetConfig(attention=(4,)), "attention names levels 0 to 3"),
        (lambda: DDPMUNetConfig(channels=40), "multiple of groups=32"),
        (lambda: DDPMUNetConfig(dropout=1.0), "dropout is a share"),
        (lambda: DDPMUNetConfig(multipliers=()), "multipliers of DDPMUNetConfig is at least 1"),
        (lambda: ConvNeXtUNetConfig(channels=0), "channels of ConvNeXtUNetConfig is at least 1"),
        (lambda: ConvNeXtUNetConfig(channels=7), "channels is even"),
        (lambda: replace(SMALL[2], steps=0), "steps of ConvNeXtUNetConfig"),
    ],
)
def test_bad_settings(make, message):
    with pytest.raises(ValueError, match=message):
        make()
