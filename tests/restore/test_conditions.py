"""A restorer takes the conditions that its network accepts, and refuses the rest."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from degrade import GaussianNoise
from models import Condition, DiTConfig, PatchUNetConfig, UNetConfig
from restore import Restorer
from tests.captions import Text

B = 3
X, T = torch.randn(B, 3, 8, 8, generator=torch.Generator().manual_seed(0)), torch.tensor([0.2, 0.5, 0.9])
LABEL, POOLED, IMAGE = torch.tensor([0, 1, -1]), torch.ones(B, 4), torch.ones(B, 1, 8, 8)
TOKENS, MASK = torch.ones(B, 5, 4), torch.tensor([[True] * 5, [True] * 2 + [False] * 3, [False] * 5])
UNET = UNetConfig(widths=(8,), depths=(1,), dropout=(0.0,), attention=(), groups=4)
DIT = DiTConfig(width=16, depth=1, head=8)


def restorer(network: nn.Module) -> Restorer:
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        for p in network.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return Restorer(network.eval(), GaussianNoise(), "x0", "float32")


@pytest.mark.parametrize(
    ("network", "condition"),
    [
        (replace(UNET, classes=2).build(), Condition(label=LABEL)),
        (replace(DIT, pooled=4).build(), Condition(pooled=POOLED)),
        (replace(UNET, picture=1).build(), Condition(image=IMAGE)),
        (replace(DIT, classes=2, picture=1).build(), Condition(label=LABEL, image=IMAGE)),
        (Text(3, 4), Condition(tokens=TOKENS, mask=MASK)),
    ],
    ids=["label", "pooled", "image", "label and image", "tokens"],
)
def test_what_is_given_reaches_the_network(network, condition):
    restore = restorer(network)
    with torch.no_grad():
        conditional, unconditional = restore.given(condition)(X, T), restore(X, T)
        nothing = condition.dropped(dict.fromkeys(condition.parts, torch.tensor([False, True, True])))
        dropped = restore.given(nothing)(X, T)
    assert not torch.allclose(conditional[0], unconditional[0])
    torch.testing.assert_close(dropped, torch.stack([conditional[0], *unconditional[1:]]), rtol=0, atol=1e-5)
    assert restore.condition is None  # left as it was


def test_nothing_at_all_is_no_condition():
    """So a network that accepts none is called net(x, t)."""
    restore = Restorer(lambda x, t: x, GaussianNoise(), "x0", "float32")
    assert torch.equal(restore.given(Condition())(X, T), restore(X, T))


@pytest.mark.parametrize(
    ("network", "condition", "message"),
    [
        (
            PatchUNetConfig(channels=8, groups=4),
            Condition(label=LABEL),
            "PatchUNet accepts no condition, got label: leave",
        ),
        (replace(UNET, classes=2), Condition(label=LABEL, pooled=POOLED), "UNet accepts label, got pooled"),
        (replace(DIT, classes=2, pooled=4), Condition(tokens=TOKENS, mask=MASK), "DiT accepts label, pooled, got tokens"),
        (replace(UNET, classes=2), Condition(label=LABEL.float()), "is integers"),
        (replace(UNET, pooled=4, classes=2), Condition(label=LABEL[:2], pooled=POOLED), "are for one batch"),
    ],
)
def test_what_does_not_fit_is_refused(network, condition, message):
    restore = Restorer(network.build(), GaussianNoise())
    with pytest.raises(ValueError, match=message) as error:
        restore.given(condition)
    assert "\n" not in str(error.value)


def test_another_batch_is_refused():
    restore = restorer(replace(UNET, classes=2).build()).given(Condition(label=LABEL))
    with pytest.raises(ValueError, match="the condition is of 3 images, the batch of 2: give one entry per image"):
        restore(X[:2], T[:2])


@pytest.mark.parametrize("shape", [(B, 2, 8, 8), (B, 1, 8, 7)])
def test_another_picture_is_refused(shape):
    restore = restorer(replace(UNET, picture=1).build()).given(Condition(image=torch.ones(shape)))
    with pytest.raises(ValueError, match=r"takes a picture condition of shape \(3, 1, 8, 8\), got \(3, "):
        restore(X, T)
