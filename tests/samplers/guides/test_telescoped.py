"""Guidance by several conditions, rescaled, and held within bounds."""

from __future__ import annotations

import pytest
import torch

from degrade import GaussianNoise, LinearBeta, seeded
from restore import Restorer
from samplers import telescoped, threshold

X = torch.randn(4, 3, 6, 7, generator=seeded(0), dtype=torch.float64)
T = torch.tensor([0.2, 0.5, 0.7, 0.9], dtype=torch.float64)
NOISE = GaussianNoise(LinearBeta())
NONE, PICTURE, BOTH = (torch.randn(X.shape, generator=seeded(i), dtype=torch.float64) for i in (1, 2, 3))


def restorer(output: torch.Tensor, calls: list | None = None) -> Restorer:
    """A network of noise that always says `output`."""

    def network(x, t):
        if calls is not None:
            calls.append(t)
        return output

    return Restorer(network, NOISE, "eps")


def test_two_scales_are_those_of_instruct_pix2pix():
    """e0 + s_I (e_I - e0) + s_T (e_IT - e_I), in estimates of the noise, by guides of x0: 1e-12."""
    guided = telescoped(restorer(NONE), (1.5, restorer(PICTURE)), (7.5, restorer(BOTH)))
    expected = restorer(NONE + 1.5 * (PICTURE - NONE) + 7.5 * (BOTH - PICTURE))
    torch.testing.assert_close(guided(X, T), expected(X, T), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("weights", "expected"), [((1, 1), [0, 0, 1]), ((0, 0), [1, 0, 1]), ((3, 3), [1, 0, 1]), ((1, 2), [0, 1, 1])]
)
def test_what_does_not_count_is_not_asked(weights, expected):
    calls: list[list] = [[], [], []]
    restores = [restorer(output, made) for output, made in zip((NONE, PICTURE, BOTH), calls, strict=True)]
    telescoped(restores[0], *zip(weights, restores[1:], strict=True))(X, T)
    assert [len(made) for made in calls] == expected


@pytest.mark.parametrize("share", [0.7, 1.0])
def test_rescaled_as_published(share):
    """Of the network's outputs (arXiv 2305.08891, eqs. 15 and 16), as diffusers has it: 1e-12."""
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import rescale_noise_cfg

    base, conditional = restorer(NONE), restorer(BOTH)
    guided = telescoped(base, (7.5, conditional), rescale=share, triple=base.triple)
    expected = rescale_noise_cfg(NONE + 7.5 * (BOTH - NONE), BOTH, share)
    torch.testing.assert_close(guided(X, T), restorer(expected)(X, T), rtol=0, atol=1e-11)
    of_x0 = telescoped(base, (7.5, conditional), rescale=1.0)(X, T)
    torch.testing.assert_close(of_x0.flatten(1).std(1), conditional(X, T).flatten(1).std(1))


def test_dynamic_threshold():
    """As diffusers' DDIM scheduler with `thresholding`; within the range nothing changes."""
    from diffusers import DDIMScheduler

    scheduler = DDIMScheduler(thresholding=True, dynamic_thresholding_ratio=0.9, sample_max_value=1e9)
    x0 = 3 * X.float()
    found = threshold(lambda x, t: x, 0.9)(x0, T)
    torch.testing.assert_close(found, scheduler._threshold_sample(x0), rtol=0, atol=1e-6)
    assert float(found.abs().max()) == 1
    small = X / (2 * X.abs().max())
    assert torch.equal(threshold(lambda x, t: x, 0.9)(small, T), small)
