from __future__ import annotations

import pytest
import torch

from degrade.random import seeded
from restore.evaluation.metrics import psnr, rmse, ssim


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
