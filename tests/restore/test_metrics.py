from __future__ import annotations

import math

import pytest
import torch

from degrade.random import seeded
from restore.metrics import psnr, rmse, ssim
from restore.single_image import coherence, completeness, copied, diversity, judge, nearest


def picture(height=40, width=52, seed=0) -> torch.Tensor:
    return torch.rand(3, height, width, generator=seeded(seed)) * 2 - 1


def test_psnr_and_rmse_of_a_known_error():
    clean = torch.zeros(2, 3, 16, 16)
    x = clean + torch.tensor([0.2, 0.02]).reshape(2, 1, 1, 1)
    torch.testing.assert_close(rmse(x, clean), torch.tensor([0.1, 0.01]))
    torch.testing.assert_close(psnr(x, clean), torch.tensor([20.0, 40.0]), rtol=0, atol=1e-3)
    assert psnr(clean, clean).isinf().all()


def test_ssim():
    clean = picture()[None]
    assert abs(float(ssim(clean, clean)) - 1) < 1e-6
    noisy = clean + 0.2 * torch.randn(clean.shape, generator=seeded(1))
    assert 0.3 < float(ssim(noisy, clean)) < 0.99


def test_out_of_range_is_clipped():
    clean = torch.ones(1, 3, 16, 16)
    assert psnr(clean * 3, clean).isinf().all()


def test_nearest_equals_brute_force():
    query, key = (torch.rand(n, 12, generator=seeded(n)) for n in (50, 333))
    distance, index = nearest(query, key, block=7)
    brute = (query[:, None] - key).square().mean(-1).sqrt().min(1)
    torch.testing.assert_close(distance, brute.values)
    assert torch.equal(index, brute.indices)


def test_a_copy():
    x = picture()
    assert coherence(x, x) < 1e-3 and completeness([x], x) < 1e-3 and copied(x, x) == 1.0


def test_a_crop_is_coherent_but_not_complete():
    x = picture()
    crop = x[:, 5:35, 7:40]
    assert coherence(crop, x, octaves=1) < 1e-3
    assert completeness([crop], x, octaves=1) > 0.05
    assert completeness([crop, x], x, octaves=1) < 1e-3
    assert copied(crop, x) == 1.0


def test_a_constant_offset_is_the_distance():
    """All patches of a flat image are 0.1 (of 1) away from those of another."""
    flat = torch.zeros(3, 32, 32)
    assert math.isclose(coherence(flat + 0.2, flat), 0.1, rel_tol=1e-4)


def test_noise_copies_nothing_and_is_incoherent():
    x, other = picture(), picture(seed=9)
    assert copied(other, x) < 0.4 and coherence(other, x) > 0.1


def test_diversity_of_independent_samples():
    """Samples with the statistics of the image have the diversity sqrt(1 - 1/n) in the mean of white noise."""
    samples = [picture(64, 64, seed) for seed in range(1, 9)]
    assert abs(diversity(samples, picture(64, 64)) - (1 - 1 / 8) ** 0.5) < 0.05
    assert diversity([samples[0]] * 3, samples[1]) < 1e-6
    assert math.isnan(diversity(samples[:1], samples[0]))
    assert math.isnan(diversity([samples[0], samples[1][:, :8]], samples[0]))


def test_report():
    x = picture()
    report = judge([x, x], x)
    assert report.copied == 1 and report.coherence < 1e-3 and report.diversity < 1e-6


def test_too_small():
    with pytest.raises(ValueError, match="has no 7 x 7 patch"):
        coherence(torch.zeros(3, 5, 30), picture())
