"""The kernel distance between features: its formula, its expectation, and that it has no bias."""

from __future__ import annotations

import pytest
import torch

from degrade import seeded
from restore.evaluation.kernel_distance import kernel_distance, squared_mmd


def test_the_estimate_is_the_formula():
    """Pair by pair (Binkowski et al. 2018, eq. 4), within 1e-9."""
    x, y = (torch.randn(n, 3, generator=seeded(n), dtype=torch.float64) for n in (5, 7))

    def k(a, b) -> float:
        return (sum(float(p * q) for p, q in zip(a, b, strict=True)) / 3 + 1) ** 3

    expected = sum(k(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j) / (5 * 4)
    expected += sum(k(a, b) for i, a in enumerate(y) for j, b in enumerate(y) if i != j) / (7 * 6)
    expected -= 2 * sum(k(a, b) for a in x for b in y) / (5 * 7)
    assert float(squared_mmd(x, y)) == pytest.approx(expected, rel=1e-9)


def test_of_gaussians():
    """N(0, 1) and N(m, 1): sum_j C(3, j) (E x^j - E y^j)^2 = 3 m^2 + 3 m^4 + (m^3 + 3 m)^2, within 4 errors of the mean."""
    m = 0.7
    a, b = (torch.randn(4000, 1, generator=seeded(seed)) for seed in (0, 1))
    found = kernel_distance(a, b + m, size=500)
    assert found.mean == pytest.approx(3 * m**2 + 3 * m**4 + (m**3 + 3 * m) ** 2, rel=0.1) and 0 < found.deviation < found.mean


def test_of_the_same_distribution():
    """No bias: over many small sets the mean is 0, within 4 of its errors."""
    x = torch.randn(400, 2, 8, 4, generator=seeded(2), dtype=torch.float64)
    estimates = torch.stack([squared_mmd(a, b) for a, b in x])
    assert abs(float(estimates.mean())) < 4 * float(estimates.std()) / 20 and float(estimates.min()) < 0
    few = kernel_distance(x[0, 0], x[0, 1])
    assert few == kernel_distance(x[0, 0], x[0, 1]) and str(few) == f"{few.mean:.4f} ± {few.deviation:.4f}"
    with pytest.raises(ValueError, match="at least two images"):
        kernel_distance(x[0, 0, :1], x[0, 1])
