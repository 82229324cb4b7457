"""The autoencoder: any size there and back, and who learns from what."""

from __future__ import annotations

import pytest
import torch

from models import AutoencoderConfig

CONFIG = AutoencoderConfig(3, 4, (8, 8, 8), groups=4, adversary=8)


@pytest.mark.parametrize("size", [(16, 8), (17, 23), (9, 5)])
def test_images_of_any_size(size):
    network, x = CONFIG.build(), torch.randn(2, 3, *size)
    assert network(x, torch.ones(2)).shape == x.shape
    assert torch.equal(network(x), network(x, noise=torch.zeros).images)


def test_latents_are_smaller():
    mean, std = CONFIG.build().encode(torch.randn(2, 3, 16, 8))
    assert CONFIG.stride == 4 and mean.shape == std.shape == (2, 4, 4, 2) and bool((std > 0).all())


def test_the_discriminator_learns_from_constants_and_is_heard_as_one():
    network = CONFIG.build()
    verdict = network(torch.randn(2, 3, 16, 16), noise=torch.randn).verdict
    (verdict.real.sum() + verdict.made.sum()).backward(retain_graph=True)
    assert all(p.grad is not None for p in network.adversary.parameters())
    assert all(p.grad is None for p in (*network.encoder.parameters(), *network.decoder.parameters()))
    network.zero_grad()
    verdict.heard.sum().backward()
    assert all(p.grad is None for p in network.adversary.parameters()) and network.encoder[0].weight.grad is not None
    assert torch.equal(verdict.made, verdict.heard)


def test_settings_that_are_refused():
    with pytest.raises(ValueError, match="at least 2 levels"):
        AutoencoderConfig(widths=(32,))
    with pytest.raises(ValueError, match="multiple of groups=8"):
        AutoencoderConfig(adversary=12)
