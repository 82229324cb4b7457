"""Least squares of small operators that have no basis, against numpy's of the same matrix."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from degrade.random import seeded
from samplers import Measurement
from samplers.guides import dense
from samplers.guides.measurement import least_squares
from tests.samplers.guides.test_decomposition import SHAPE, UNKNOWN, measured


def matrix(m: Measurement, image: int) -> np.ndarray:
    """L of one image (measured, numbers), column by column."""
    units = torch.eye(m.y[0].new_zeros(m.shape[1:]).numel()).to(m.y)
    with torch.no_grad():
        return np.stack([m.forward(unit.view(m.shape[1:]).expand(m.shape))[image].flatten().numpy() for unit in units], 1)


@pytest.mark.parametrize("name", UNKNOWN)
def test_against_numpy(name):
    """In float64, each image with its own operator: undamped, the smallest of all, but of blurs, which leave some waves to
    rounding; and damped, as rows below L."""
    m = measured(UNKNOWN[name])
    assert m.decomposition is not None
    for damping in (1e-4,) if name == "two severities" else (0.0, 1e-4):
        found = m.least_squares(m.y, damping)
        for image in range(SHAPE[0]):
            a, r = matrix(m, image), m.y[image].flatten().numpy()
            below = np.eye(a.shape[1]) * damping**0.5
            expected = np.linalg.lstsq(np.vstack([a, below]), np.append(r, below[0] * 0), rcond=1e-7)[0]
            np.testing.assert_allclose(found[image].flatten(), expected, rtol=0, atol=1e-6 * abs(expected).max())


def ill(numbers: int, condition: float, dtype: torch.dtype) -> tuple[torch.Tensor, Measurement]:
    """An operator with singular values from 1 to 1 / condition, evenly in their logarithms; two images of 1 x `numbers`."""
    g = seeded(3)
    u, v = (torch.linalg.qr(torch.randn(numbers, numbers, generator=g, dtype=torch.float64))[0] for _ in range(2))
    a = (u * torch.logspace(0, -float(np.log10(condition)), numbers, dtype=torch.float64)) @ v.T
    shape, kept = (2, 1, 1, numbers), a.to(dtype)
    x = torch.randn(shape, generator=g, dtype=torch.float64)
    y = (x @ a.T).to(dtype)
    return x, Measurement(y, lambda x: x @ kept.T, 0.0, shape)


def test_where_conjugate_gradients_are_far_from_the_end():
    """A condition of 1000: what was measured, found again; 50 rounds leave a tenth of it and more."""
    x, m = ill(200, 1e3, torch.float64)
    near = least_squares(m.forward, m.adjoint, m.y)
    assert float((near - x).norm() / x.norm()) > 0.1
    torch.testing.assert_close(m.least_squares(m.y), x, rtol=0, atol=1e-9)


def test_products_and_limit(monkeypatch):
    """One for every two numbers of two images that have the same operator; none of a matrix that is too large."""
    _, m = ill(64, 10.0, torch.float32)
    calls = 0
    forward = m.forward

    def counted(v: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        return forward(v)

    assert dense.dense(counted, m._noise()) is not None and calls == 32 + 2
    monkeypatch.setattr(dense, "LARGEST", 63)
    calls = 0
    assert dense.dense(counted, m._noise()) is None and calls == 1


def test_what_is_not_linear_has_none():
    assert dense.dense(lambda x: x.abs()[..., ::2] + x.roll(1, -1)[..., ::2], torch.randn(SHAPE, generator=seeded(1))) is None
