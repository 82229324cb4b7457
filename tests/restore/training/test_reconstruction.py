"""The objective of an autoencoder, against torch's own divergence, and by what its discriminator pulls at images."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from degrade import Identity, NoLatent, Stream, seeded
from degrade.random import globally_seeded
from models import AutoencoderConfig
from restore import Objective, Recipe
from restore.restorer import Restorer
from restore.training.reconstruction import Reconstruction

X0 = torch.rand(3, 3, 16, 12, generator=seeded(1)) * 2 - 1
T = torch.ones(3)


def losses(objective, adversary=0, done=0.0, images=slice(None)):
    with globally_seeded(0, Stream.WEIGHTS):
        network = AutoencoderConfig(3, 4, (8, 8), groups=4, adversary=adversary).build()
    generators = [seeded(i) for i in range(3)][images]
    criterion = objective.at(done, lambda: generators)
    return network, criterion(Restorer(network, Identity()), X0[images], T[images], NoLatent())


def test_error_and_divergence():
    network, loss = losses(Reconstruction(coarsest=0, kl=0.5))
    noise = torch.stack([torch.randn(4, 8, 6, generator=seeded(i)) for i in range(3)])
    images, mean, std, _ = network(X0, noise=lambda shape: noise)
    divergence = kl_divergence(Normal(mean, std), Normal(0, 1)).flatten(1).sum(1)
    expected = (images - X0).abs().flatten(1).mean(1) + 0.5 * divergence / X0[0].numel()
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("done", [0.0, 0.9])
def test_no_image_depends_on_the_others(done):
    """So the result does not depend on the processes, or the pieces, that a batch is shared out to."""
    _, whole = losses(Reconstruction(), 8, done)
    alone = [losses(Reconstruction(), 8, done, slice(i, i + 1))[1] for i in range(3)]
    torch.testing.assert_close(whole, torch.cat(alone), rtol=1e-4, atol=1e-5)


def test_the_discriminator_is_heard_as_loud_as_the_error():
    """From `since` on; at the decoder's output both gradients have one norm, at weight 1."""
    objective = Reconstruction(kl=0.0, adversary=1.0, since=0.5)
    network, _ = losses(objective, 8)
    coded = network(X0, noise=lambda shape: torch.zeros(shape))
    error = (coded.images - X0).abs().flatten(1).mean(1)
    early, late = (objective._judged(done, error, coded.images, coded.verdict) for done in (0.49, 0.5))
    pull, wanted = (torch.autograd.grad(x.sum(), coded.images, retain_graph=True)[0] for x in (late - early, error))
    torch.testing.assert_close(pull.flatten(1).norm(dim=1), wanted.flatten(1).norm(dim=1), rtol=1e-4, atol=0)


def test_it_is_an_autoencoders():
    with pytest.raises(ValueError, match="reconstruction is the objective of an autoencoder"):
        Recipe("photo.jpg", objective=Reconstruction())
    Recipe("photo.jpg", network=AutoencoderConfig(), objective=Objective())
