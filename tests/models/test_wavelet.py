"""The 5/3 wavelet: exact inverse at every size, energy bounds, PyWavelets' numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.layers.wavelet import unwavelet, wavelet

SIDES = range(2, 66)


@pytest.mark.parametrize("side", SIDES)
def test_inverse(side):
    """Every side from 2 to 65 beside a few others; within 1e-12 in float64 and 1e-5 in float32."""
    for other in (2, 3, 8, 65, side):
        for dtype, atol in ((torch.float64, 1e-12), (torch.float32, 1e-5)):
            x = torch.randn(2, 3, side, other, dtype=dtype, generator=torch.Generator().manual_seed(side))
            bands = wavelet(x)
            assert bands.shape == (2, 12, -(-side // 2), -(-other // 2))
            torch.testing.assert_close(unwavelet(bands, side, other), x, rtol=0, atol=atol)


@pytest.mark.parametrize("side", SIDES)
def test_energy_bounds(side):
    """.47 |x|^2 <= |bands|^2 <= 2.25 |x|^2 along one axis, from the singular values of the transform itself."""
    unit = torch.eye(side, dtype=torch.float64).reshape(side, 1, side, 1).expand(-1, -1, -1, 2) / 2**0.5
    values = torch.linalg.svdvals(wavelet(unit).flatten(1))  # constant along the other axis, which keeps its norm
    assert float(values.max()) ** 2 < 2.25 and float(values.min()) ** 2 > 0.47


@pytest.mark.parametrize("side", [16, 33, 64])
def test_like_pywavelets(side):
    """bior2.2 is the same filter pair: its coefficients inside of the borders, along both axes, within 1e-12."""
    pywt = pytest.importorskip("pywt")
    x = np.random.default_rng(side).normal(size=(side, side))
    ll, (hl, lh, hh) = pywt.dwt2(x, "bior2.2", mode="reflect")  # horizontal details: high along rows of pixels downwards
    ours = wavelet(torch.from_numpy(x)[None, None])[0].numpy()
    half = ours.shape[-1]
    inside = slice(2, half - 3)
    found = []
    for mine, theirs in zip(ours, (ll, lh, hl, hh), strict=True):
        shifts = [
            (i, j, sign)
            for i in range(3)
            for j in range(3)
            for sign in (1, -1)
            if np.allclose(mine[inside, inside], sign * theirs[i : i + half, j : j + half][inside, inside], rtol=0, atol=1e-12)
        ]
        found.append(shifts)
    assert all(len(shifts) == 1 for shifts in found), found


def test_constant_and_linear_images_have_no_details():
    row = torch.arange(9.0)
    for x in (torch.full((1, 1, 9, 9), 0.3), (row[:, None] + 2 * row).reshape(1, 1, 9, 9)):
        _, *details = wavelet(x)[..., 1:-1, 1:-1].unbind(1)
        assert all(float(band.abs().max()) < 1e-5 for band in details)


def test_one_pixel():
    with pytest.raises(ValueError, match="sides of at least 2"):
        wavelet(torch.zeros(1, 1, 1, 8))
