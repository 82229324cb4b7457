"""A network of another library, with a signature of its own, as a restorer: diffusers' UNet2DModel with random weights."""

from __future__ import annotations

import pytest
import torch
from diffusers import UNet2DModel

from degrade import GaussianNoise, GaussianPrior, LinearBeta, seeds
from restore import Edit, OneImage, Restorer, Sampling
from restore.pipelines.network import NetworkPipeline
from samplers import DDIM, Respaced

T = 1000
COUNT, SIZE = 3, (8, 8)


@pytest.fixture
def unet():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return UNet2DModel(
            sample_size=8,
            block_out_channels=(8, 16),
            layers_per_block=1,
            norm_num_groups=4,
            down_block_types=("DownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "UpBlock2D"),
            attention_head_dim=8,
        ).eval()


@pytest.fixture
def pipeline(unet):
    """What wraps it: published step k is the severity t = (k + 1)/T, and its output is an estimate of the noise."""
    noise = GaussianNoise(LinearBeta(T))
    return NetworkPipeline(
        restorer=Restorer(lambda x, t: unet(x, (t * T).round().long() - 1).sample, noise, "eps", "float32"),
        degradation=noise,
        prior=GaussianPrior(),
        size=(3, *SIZE),
        data=OneImage(size=8),
        sampling=Sampling(DDIM(), steps=5, grid=Respaced(T), clip=False),
        name="diffusers' UNet2DModel",
    )


def test_sampled_as_by_hand(pipeline):
    """Bit for bit: nothing but the prior's draw, and the sampler's steps with the restorer."""
    images = pipeline.generate(count=COUNT, seed=7, progress=False)
    generators = seeds(7, COUNT)
    sampler, grid = DDIM(), Respaced(T).times(5, 1.0, pipeline.degradation)
    state = sampler.init(pipeline.prior.sample((COUNT, 3, *SIZE), generators))
    with torch.no_grad():
        for t, s in zip(grid[:-1].tolist(), grid[1:].tolist(), strict=True):
            now, then = (torch.full((COUNT,), severity, dtype=torch.float64) for severity in (t, s))
            state = sampler.step(pipeline.restorer, pipeline.degradation, state, now, then, generators)
    assert torch.equal(images, state.x.clamp(-1, 1))


def test_sampled_as_published(pipeline, unet):
    """DDIM (arXiv 2010.02502, eq. 12, eta = 0) with the network's own timesteps, from the same noise, within 1e-4."""
    x = pipeline.prior.sample((COUNT, 3, *SIZE), seeds(7, COUNT)).x
    levels = [round(t * T) - 1 for t in Respaced(T).times(5, 1.0, pipeline.degradation)[:-1].tolist()]
    alphas = (1 - torch.linspace(1e-4, 0.02, T, dtype=torch.float64)).cumprod(0)
    with torch.no_grad():
        for k, after in zip(levels, [*(alphas[k] for k in levels[1:]), torch.ones(()).double()], strict=True):
            eps = unet(x, k).sample
            x0 = (x - (1 - alphas[k]).sqrt() * eps) / alphas[k].sqrt()
            x = (after.sqrt() * x0 + (1 - after).sqrt() * eps).float()
    images = pipeline.generate(count=COUNT, seed=7, progress=False)
    torch.testing.assert_close(images, x.clamp(-1, 1), rtol=0, atol=1e-4)


def test_restored_and_edited(pipeline):
    """It serves whatever a run does: a picture is restored, parts of one are kept."""
    picture = torch.linspace(-0.9, 0.9, 3 * 64).reshape(3, *SIZE)
    found = pipeline.degrade_and_restore(picture, 0.4, progress=False)
    assert found.restored.shape == picture.shape and found.restored.isfinite().all()
    mask = torch.ones(1, *SIZE)
    mask[..., 4:] = 0
    kept = pipeline.generate(edit=Edit(known=(picture, mask)), progress=False)[0]
    torch.testing.assert_close(kept[..., :4], picture[..., :4], rtol=0, atol=1e-5)
