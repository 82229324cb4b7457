"""Guided diffusion's U-Net: names and shapes of the published configurations, and outputs of the published code.

`GUIDED_DIFFUSION=/path/to/openai/guided-diffusion` compares with a checkout; `tests/golden/adm.json` holds what it gave.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models import ADMUNet, ADMUNetConfig, Condition, load_published
from restore.published.weights_file import ADM
from tests.reference import GOLDEN, noise, weight

SMALL = ADMUNetConfig(channels=32, multipliers=(1, 2), blocks=1, attention=(1,), head=16, classes=3)
CASES = {"heads": SMALL, "heads-first": replace(SMALL, heads_first=True, head=0, multipliers=(1, 1), learned_variance=False)}
X, T, LABEL = noise((2, 3, 16, 12)), torch.tensor([0.001, 0.613]), torch.tensor([0, 2])


def digest(state) -> str:
    """Of names and shapes, in order of names."""
    return hashlib.sha256("\n".join(f"{name} {tuple(state[name].shape)}" for name in sorted(state)).encode()).hexdigest()


def by_formula(state) -> dict[str, torch.Tensor]:
    return {name: weight(name, tuple(value.shape)) for name, value in state.items()}


def golden() -> dict:
    return json.loads((GOLDEN / "adm.json").read_text())


@pytest.mark.parametrize("name", ADM)
def test_names_and_shapes_of_the_published_networks(name):
    with torch.device("meta"):
        state = ADMUNet(ADM[name]).state_dict()
    assert digest(state) == golden()["names and shapes"][name]
    assert sum(value.numel() for value in state.values()) == golden()["parameters"][name]


@pytest.mark.parametrize("name", CASES)
def test_output(name):
    """Within 1e-5, in float32."""
    network = ADMUNet(CASES[name])
    load_published(network, by_formula(network.state_dict()))
    with torch.no_grad():
        found = network.eval()(X, T, Condition(label=LABEL))
    torch.testing.assert_close(found, torch.tensor(golden()["outputs"][name]), rtol=0, atol=1e-5)


def test_labels_and_sizes():
    """-1 is as no label; sides that are no multiple of the stride are padded and cut."""
    network = ADMUNet(SMALL)
    load_published(network, by_formula(network.state_dict()))
    network.eval()
    with torch.no_grad():
        assert torch.equal(network(X, T), network(X, T, Condition(label=torch.tensor([-1, -1]))))
        assert not torch.allclose(network(X, T), network(X, T, Condition(label=LABEL)))
        assert network(X[..., :15, :11], T).shape == (2, 3, 15, 11)
    with pytest.raises(ValueError, match="an attention head divides the width; got 48 and"):
        replace(SMALL, head=48)


def made_by(path: Path) -> dict:
    """What the published code gives."""
    sys.path.insert(0, str(path))
    try:
        from guided_diffusion.script_util import create_model
        from guided_diffusion.unet import UNetModel
    finally:
        sys.path.remove(str(path))
    flags = {"learn_sigma": True, "resblock_updown": True, "use_scale_shift_norm": True, "attention_resolutions": "32,16,8"}
    heads = {"num_head_channels": 64}
    with torch.device("meta"):
        networks = {
            "64": create_model(64, 192, 3, class_cond=True, use_new_attention_order=True, **heads, **flags),
            "128": create_model(128, 256, 2, class_cond=True, num_heads=4, **flags),
            "256": create_model(256, 256, 2, class_cond=True, **heads, **flags),
            "256-unconditional": create_model(256, 256, 2, class_cond=False, **heads, **flags),
        }
    outputs = {}
    for name, config in CASES.items():
        network = UNetModel(
            16,
            3,
            config.channels,
            6 if config.learned_variance else 3,
            config.blocks,
            tuple(2**level for level in config.attention),
            channel_mult=config.multipliers,
            num_classes=config.classes,
            num_heads=4,
            num_head_channels=config.head or -1,
            use_scale_shift_norm=True,
            resblock_updown=True,
            use_new_attention_order=not config.heads_first,
        ).eval()
        network.load_state_dict(by_formula(network.state_dict()))
        with torch.no_grad():
            outputs[name] = network(X, (T * 1000 - 1).round(), LABEL)[:, :3].tolist()
    states = {name: network.state_dict() for name, network in networks.items()}
    return {
        "names and shapes": {name: digest(state) for name, state in states.items()},
        "parameters": {name: sum(value.numel() for value in state.values()) for name, state in states.items()},
        "outputs": outputs,
    }


def test_against_a_checkout():
    path = os.environ.get("GUIDED_DIFFUSION")
    if not path:
        pytest.skip("GUIDED_DIFFUSION names no checkout of openai/guided-diffusion")
    found = made_by(Path(path))
    assert {**found, "outputs": {}} == {**golden(), "outputs": {}}
    for name, output in found["outputs"].items():
        torch.testing.assert_close(torch.tensor(output), torch.tensor(golden()["outputs"][name]), rtol=0, atol=1e-5)
