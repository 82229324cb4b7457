"""Agreement of a restored image with the clean one. Images (B, C, H, W) in [-1, 1]; one figure for each image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from degrade.lazy import torch
from degrade.severity import wide_dtype

if TYPE_CHECKING:
    from torch import Tensor


def rmse(x: Tensor, clean: Tensor) -> Tensor:
    """Root mean square error (B,), in units of [0, 1] pixels."""
    return ((x - clean) / 2).square().flatten(1).mean(1).sqrt()


def psnr(x: Tensor, clean: Tensor) -> Tensor:
    """Peak signal-to-noise ratio (B,) in dB, after clipping x to [-1, 1]; infinite for equal images."""
    from kornia.metrics import psnr as one

    return torch.stack([one(a.clamp(-1, 1), b, 2.0) for a, b in zip(x, clean, strict=True)])


def ssim(x: Tensor, clean: Tensor) -> Tensor:
    """Structural similarity (B,) (Wang et al. 2004, eq. 13), after clipping x to [-1, 1]; 1 for equal images.

        (2 m_x m_y + C1)(2 c_xy + C2) / ((m_x^2 + m_y^2 + C1)(v_x + v_y + C2)),  C1 = .01^2, C2 = .03^2, pixels in [0, 1]

    Means m, variances v and covariance c are those of a Gaussian window of 11 x 11 pixels (standard deviation 1.5), the mean is
    over all places of the window within the image and over channels: scikit-image's structural_similarity with
    gaussian_weights=True and use_sample_covariance=False, to 1e-6. Where a side is shorter than 11 pixels, the window is cut to
    the largest odd side that fits.
    """
    x, y = ((image.clamp(-1, 1).to(wide_dtype(image.device)) + 1) / 2 for image in (x, clean))
    m_x, m_y = _windowed(x), _windowed(y)
    v_x, v_y, c_xy = _windowed(x * x) - m_x**2, _windowed(y * y) - m_y**2, _windowed(x * y) - m_x * m_y
    similarity = (2 * m_x * m_y + 1e-4) * (2 * c_xy + 9e-4) / ((m_x**2 + m_y**2 + 1e-4) * (v_x + v_y + 9e-4))
    return similarity.flatten(1).mean(1).float()


def _windowed(x: Tensor, side: int = 11, std: float = 1.5) -> Tensor:
    """The weighted means of x (B, C, H, W) under a Gaussian window, at all places within the image."""
    side = min(side, *(length - 1 + length % 2 for length in x.shape[-2:]))
    offset = torch.arange(side, dtype=x.dtype, device=x.device) - side // 2
    weight = torch.exp(-(offset**2) / (2 * std**2))
    weight = weight / weight.sum()
    for dim in (-2, -1):
        places = x.shape[dim] - side + 1
        x = sum(w * x.narrow(dim, i, places) for i, w in enumerate(weight))
    return x
