from __future__ import annotations

import math

import pytest
import torch

from degrade.random import seeded
from restore.evaluation.metrics import psnr, rmse, ssim
from restore.evaluation.single_image import coherence, completeness, copied, diversity, judge, nearest


def picture(height=40, width=52, seed=0) -> torch.Tensor:
    return torch.rand(3, height, width, generator=seeded(seed)) * 2 - 1


def test_psnr_and_rmse_of_a_known_error():
    clean = torch.zeros(2, 3, 16, 16)
    x = clean + torch.tensor([0.2, 0.02]).reshape(2, 1, 1, 1)
    torch.testing.assert_close(rmse(x, clean), torch.tensor([0.1, 0.01]))
    torch.testing.assert_close(psnr(x, clean), torch.tensor([20.0, 40.0]), rtol=0, atol=1e-3)
    assert psnr(clean, clean).isinf().all()


@pytest.mark.parametrize("shape", [(3, 40, 52), (1, 11, 11), (3, 12, 31)], ids=str)
def test_ssim_is_that_of_scikit_image(shape):
    """Within 1e-5, borders included: windows that reach over them do not count."""
    from skimage.metrics import structural_similarity

    clean = torch.rand((2, *shape), generator=seeded(0)) * 2 - 1
    clean[1] = 0.5  # flat
    noisy = clean + 0.4 * torch.randn(clean.shape, generator=seeded(1))
    theirs = [
        structural_similarity(
            *(((image.clamp(-1, 1) + 1) / 2).numpy() for image in pair),
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1,
            channel_axis=0,
        )
        for pair in zip(noisy, clean, strict=True)
    ]
    torch.testing.assert_close(ssim(noisy, clean), torch.tensor(theirs), rtol=0, atol=1e-5)
    torch.testing.assert_close(ssim(clean, clean), torch.ones(2), rtol=0, atol=1e-6)


@pytest.mark.parametrize(("height", "width", "side"), [(5, 40, 5), (10, 9, 9), (2, 3, 1), (1, 1, 1)])
def test_ssim_of_small_images(height, width, side):
    """The window is cut to the largest odd side that fits; one of a single pixel compares means only, in closed form."""
    clean, other = picture(height, width)[None], picture(height, width, seed=1)[None]
    assert float(ssim(clean, clean)) == pytest.approx(1, abs=1e-6)
    if side == 1:
        x, y = (clean + 1) / 2, (other + 1) / 2
        means = (2 * x * y + 1e-4) / (x**2 + y**2 + 1e-4)
        assert float(ssim(other, clean)) == pytest.approx(float(means.mean()), abs=1e-6)
    else:
        places = (height - side + 1) * (width - side + 1)
        parts = [
            ssim(other[..., i : i + side, j : j + side], clean[..., i : i + side, j : j + side])
            for i in range(height - side + 1)
            for j in range(width - side + 1)
        ]
        assert float(ssim(other, clean)) == pytest.approx(float(sum(parts)) / places, abs=1e-6)


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
    assert coherence([x], x) < 1e-3 and completeness([x], x) < 1e-3 and copied(x, x) == 1.0


def test_a_crop_is_coherent_but_not_complete():
    x = picture()
    crop = x[:, 5:35, 7:40]
    assert coherence([crop], x, octaves=1) < 1e-3
    assert completeness([crop], x, octaves=1) > 0.05
    assert completeness([crop, x], x, octaves=1) < 1e-3
    assert copied(crop, x) == 1.0


def test_a_constant_offset_is_the_distance():
    """All patches of a flat image are 0.1 (of 1) away from those of another."""
    flat = torch.zeros(3, 32, 32)
    assert math.isclose(coherence([flat + 0.2], flat), 0.1, rel_tol=1e-4)


def test_noise_copies_nothing_and_is_incoherent():
    x, other = picture(), picture(seed=9)
    assert copied(other, x) < 0.4 and coherence([other], x) > 0.1


def test_diversity_of_independent_samples():
    """Independent samples with the statistics of the image have a diversity of 1 but for the bias of a deviation of eight."""
    samples = [picture(64, 64, seed) for seed in range(1, 9)]
    assert diversity(samples, picture(64, 64)) == pytest.approx(1, abs=0.05)
    assert diversity([samples[0]] * 3, samples[1]) < 1e-6
    assert math.isnan(diversity(samples[:1], samples[0]))


def test_a_training_image_of_one_colour_has_no_spread_to_compare_with():
    for colour in (-1.0, 0.3):
        report = judge([picture(), picture(seed=1)], torch.full((3, 40, 52), colour))
        assert math.isnan(report.diversity) and report.coherence > 0.1


def test_figures_are_those_of_their_formulas():
    """Brute force, with samples of two sizes, within 1e-4: patches of all samples are pooled; sizes are halved for as long as
    two patches lie side by side (once here); for diversity, samples are brought to the training image's size."""
    training, samples = smooth(45, 52, 0), [smooth(45, 52, 1), smooth(40, 71, 2)]

    def rows(x, side):
        return x.unfold(1, side, 1).unfold(2, side, 1).permute(1, 2, 0, 3, 4).flatten(0, 1).flatten(1) / 2

    def halved(x):
        return torch.nn.functional.interpolate(x[None], scale_factor=0.5, mode="bicubic", antialias=True)[0]

    there, back = [], []
    images = [training, *samples]
    for _ in range(2):
        ours, theirs = rows(images[0], 7), torch.cat([rows(x, 7) for x in images[1:]])
        between = torch.cdist(theirs.double(), ours.double()) / ours.shape[1] ** 0.5
        there.append(between.amin(1).mean())
        back.append(between.amin(0).mean())
        images = [halved(x) for x in images]
    size = {"size": (45, 52), "mode": "bicubic", "antialias": True}
    same = torch.stack([torch.nn.functional.interpolate(x[None], **size)[0] for x in samples]).double()
    spread = (same[0] - same[1]).abs().mean() / 2**0.5 / training.double().std()
    report = judge(samples, training)
    for value, expected in zip(report[:3], (sum(there) / 2, sum(back) / 2, spread), strict=True):
        assert value == pytest.approx(float(expected), rel=1e-4)


def smooth(height, width, seed) -> torch.Tensor:
    return torch.nn.functional.avg_pool2d(picture(height + 4, width + 4, seed), 5, 1)


def test_report():
    x = picture()
    report = judge([x, x], x)
    assert report.copied == 1 and report.coherence < 1e-3 and report.diversity < 1e-6


def test_too_small():
    with pytest.raises(ValueError, match="has no 7 x 7 patch"):
        coherence([torch.zeros(3, 5, 30)], picture())
    with pytest.raises(ValueError, match="has no 15 x 15 patch"):
        judge([torch.zeros(3, 14, 30)], picture())
