"""Least squares in closed form, against conjugate gradients that have converged; what has no such form is not given one."""

from __future__ import annotations

import pytest
import torch

from degrade import Compose, Curve, Decolour, GaussianBlur, GaussianMask, IteratedBlur, Pixelate, Stage
from degrade.random import seeded
from restore.pipelines.solving import on_unit_images, reduced_to
from samplers import Measurement
from samplers.guides.decomposition import decomposition
from samplers.guides.measurement import least_squares

SHAPE = (2, 3, 12, 15)
SEEN = (torch.rand(SHAPE, generator=seeded(0)) > 0.5).double()


def degraded(operator, severity: float = 1.0):
    latent = operator.draw(torch.zeros(SHAPE, dtype=torch.float64), seeded(4))
    return lambda x: operator(x, torch.full((2,), severity), latent)


KNOWN = {
    "missing pixels, each image its own": lambda x: x * SEEN.to(x),
    "over-exposure": on_unit_images(lambda x: 1.5 * x),
    "a hole, each image its own": degraded(GaussianMask(), 0.7),
    "wrapped blur": degraded(GaussianBlur(border="circular"), 0.1),
    "motion": lambda x: (x + x.roll((1, 2), (-2, -1)) + 0.5 * x.roll(3, -1)) / 2.5,
    "mirrored blur": degraded(GaussianBlur(), 0.1),
    "a chain of kernels": degraded(IteratedBlur(20, 11, "linear", 0.35, 0.05), 0.3),
    "reduction": reduced_to((5, 4)),
    "no colour": degraded(Decolour()),
    "pixels": degraded(Pixelate(2)),
    "a chain": degraded(Compose((Stage(Decolour(), Curve(power=2)), Stage(GaussianBlur(1.0)), Stage(Pixelate(1))))),
}
UNKNOWN = {
    "between two sizes": degraded(Pixelate(2), 0.75),
    "black beyond the edge": lambda x: torch.nn.functional.avg_pool2d(x, 3, 1, 1) * SEEN.to(x),
    "two severities": lambda x: GaussianBlur()(x, torch.tensor([0.1, 0.2])),
    "numbers in a row": lambda x: x.flatten(1)[:, ::3],
    "half of a rainbow": lambda x: x[:, :1] + x.mean((1, 2, 3), keepdim=True) * SEEN[:, :1].to(x),
}


def measured(operator, dtype: torch.dtype = torch.float64) -> Measurement:
    y = operator(torch.zeros(SHAPE, dtype=dtype))
    return Measurement(torch.randn(y.shape, generator=seeded(5), dtype=dtype), operator, 0.0, SHAPE)


@pytest.mark.parametrize("name", KNOWN)
def test_closed_form_is_where_conjugate_gradients_end(name):
    """Damped, each image as much as is asked of it: to 1e-6 of the largest, in float64."""
    m = measured(KNOWN[name])
    found = m.decomposition
    assert found is not None
    v = torch.randn(SHAPE, generator=seeded(6), dtype=torch.float64)
    torch.testing.assert_close(found.forward(v), m.forward(v), rtol=0, atol=1e-9)
    for damping in (torch.tensor([1e-3, 0.1]), torch.tensor([1.0, 1e-2])):
        expected = least_squares(m.forward, m.adjoint, m.y, damping, iterations=400, enough=1e-10)
        torch.testing.assert_close(m.least_squares(m.y, damping), expected, rtol=0, atol=1e-6 * float(expected.abs().max()))


@pytest.mark.parametrize("name", ["missing pixels, each image its own", "reduction", "no colour", "pixels", "a chain"])
def test_without_damping_it_is_the_smallest(name):
    """L^+ r of float32, to 1e-4 of the largest."""
    m = measured(KNOWN[name], torch.float32)
    expected = least_squares(m.forward, m.adjoint, m.y, iterations=400)
    torch.testing.assert_close(m.least_squares(m.y), expected, rtol=0, atol=1e-4 * float(expected.abs().max()))


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_has_no_such_form_is_not_given_one(name):
    m = measured(UNKNOWN[name])
    with torch.no_grad():
        assert decomposition(m.forward, m._noise()) is None


def test_a_large_picture_alone_is_left_to_conjugate_gradients():
    """Its axes take a product each for every row and column; in four samples at a time a quarter of them."""
    calls = 0

    def blur(x: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        return GaussianBlur()(x, torch.full((len(x),), 0.1))

    for count, known in ((1, False), (4, True)):
        shape = (count, 1, 100, 90)
        m, calls = Measurement(torch.zeros(shape), blur, 0.0, shape), 0
        assert (m.decomposition is not None) == known and calls < 64


def test_an_operator_is_tried_once():
    """What is known to answer alike is asked for its answer to nothing alone."""
    calls = 0

    def operator(x: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        return x / 2

    Measurement(torch.zeros(SHAPE), operator, 0.0, SHAPE)
    assert calls == 3
    Measurement(torch.zeros(SHAPE), operator, 0.0, SHAPE, tried=True)
    assert calls == 4
