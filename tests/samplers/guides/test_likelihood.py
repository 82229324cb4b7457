"""Guides by a measurement against Gaussian data, where the posterior is known, and the linear algebra that they rest on."""

from __future__ import annotations

import sys

import pytest
import torch

from degrade import Compose, Decolour, GaussianBlur, GaussianMask, GaussianNoise, Pixelate, RectifiedFlow, Snow, Stage, State
from degrade.random import seeded
from samplers import DDIM, DPMSolver, LogSNRUniform, Measurement, likelihood, sample
from samplers.guides.likelihood import METHODS

N, M, NOISE = 16, 6, 0.1
PROCESS = GaussianNoise(RectifiedFlow())
LINEAR = ("ddnm", "pigdm", "moments")


class Data:
    """x0 ~ N(mean, S), correlated, of 4 x 4 pixels; y = L x0 + .1 n. Everything in float64."""

    def __init__(self) -> None:
        g = seeded(0)
        draw = lambda *shape: torch.randn(shape, generator=g, dtype=torch.float64)  # noqa: E731
        root = draw(N, N) / 4
        self.mean, self.S, self.L = 0.3 * draw(N), root @ root.T + 0.02 * torch.eye(N).double(), draw(M, N) / 3
        self.y = self.L @ (self.mean + torch.linalg.cholesky(self.S) @ draw(N)) + NOISE * draw(M)
        gain = self.S @ self.L.T @ torch.linalg.inv(self.L @ self.S @ self.L.T + NOISE**2 * torch.eye(M))
        self.posterior = self.mean + gain @ (self.y - self.L @ self.mean), self.S - gain @ self.L @ self.S

    def restore(self, x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        alpha, sigma = (float(c) for c in PROCESS.coefficients(t[:1]))
        gain = alpha * self.S @ torch.linalg.inv(alpha**2 * self.S + sigma**2 * torch.eye(N))
        return (self.mean + (x_t.flatten(1) - alpha * self.mean) @ gain.T).reshape(x_t.shape)

    def covariance(self, t: float) -> torch.Tensor:
        """Of x0 given x_t."""
        alpha, sigma = (float(c) for c in PROCESS.coefficients(torch.tensor([t], dtype=torch.float64)))
        return torch.linalg.inv(torch.linalg.inv(self.S) + alpha**2 / sigma**2 * torch.eye(N))

    def measured(self, batch: int, noise: float = NOISE) -> Measurement:
        return Measurement(self.y.expand(batch, M), lambda x: x.flatten(1) @ self.L.T, noise, (batch, 1, 4, 4))


DATA = Data()


def at(t: float, batch: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.randn(batch, 1, 4, 4, generator=seeded(2), dtype=torch.float64)
    return x, torch.full((batch,), t, dtype=torch.float64)


def moved(method: str, t: float, noise: float = NOISE, **settings) -> tuple[torch.Tensor, torch.Tensor]:
    """x0' - x0_hat and the residual, flat."""
    x, times = at(t)
    guided = likelihood(DATA.restore, DATA.measured(len(x), noise), PROCESS, method, **settings)
    x0 = DATA.restore(x, times).flatten(1)
    return guided(x, times).flatten(1) - x0, DATA.y - x0 @ DATA.L.T


def test_moments_have_the_posteriors_mean_and_covariance():
    """Within 5 standard errors of 4000 samples, by the deterministic walk in 60 steps of second order."""
    count = 4000
    times = LogSNRUniform(end=0.003).times(60, 0.999, PROCESS)
    start = torch.randn(count, 1, 4, 4, generator=seeded(1), dtype=torch.float64)
    guided = likelihood(DATA.restore, DATA.measured(count), PROCESS, "moments", rounds=M)
    made = sample(DPMSolver(), guided, PROCESS, State(start, ()), times).flatten(1)
    mean, covariance = DATA.posterior
    assert ((made.mean(0) - mean).abs() < 5 * (covariance.diag() / count).sqrt()).all()
    error = ((covariance.square() + covariance.diag()[:, None] * covariance.diag()) / count).sqrt()
    assert ((torch.cov(made.T) - covariance).abs() < 5 * error).all()


@pytest.mark.parametrize("t", [0.2, 0.7, 0.95])
def test_each_method_is_its_formula(t, monkeypatch):
    """Against dense linear algebra, to 1e-5 of the largest change; diffpir with as many products as the others."""
    monkeypatch.setattr(sys.modules["samplers.guides.likelihood"], "NEARLY", 1e-6)
    alpha, sigma = (float(c) for c in PROCESS.coefficients(torch.tensor([t], dtype=torch.float64)))
    L, C, eye = DATA.L, DATA.covariance(t), torch.eye(M, dtype=torch.float64)  # noqa: N806
    v, rho = sigma**2 / (alpha**2 + sigma**2), sigma**2 / alpha**2
    expected = {
        "ddnm": min(1, sigma / alpha / NOISE) * torch.linalg.pinv(L),
        "diffpir": rho * L.T @ torch.linalg.inv(rho * L @ L.T + NOISE**2 * eye),
        "pigdm": C @ L.T @ torch.linalg.inv(v * L @ L.T + NOISE**2 * eye),
        "moments": C @ L.T @ torch.linalg.inv(L @ C @ L.T + NOISE**2 * eye),
    }
    for method, gain in expected.items():
        found, r = moved(method, t, rounds=M)
        torch.testing.assert_close(
            found, r @ gain.T, rtol=0, atol=(1e-3 if method == "diffpir" else 1e-5) * float(found.abs().max())
        )


def test_dps_follows_the_gradient():
    """Central differences of |y - A(x0_hat(x_t))|^2 / 2, A not linear; its length: one step of conjugate gradients."""
    x, t = at(0.6, 1)
    operator = lambda x: torch.tanh(x.flatten(1) @ DATA.L.T)  # noqa: E731
    measured = Measurement(torch.tanh(DATA.y)[None], operator, NOISE, (1, 1, 4, 4))
    x0 = DATA.restore(x, t)
    found = (likelihood(DATA.restore, measured, PROCESS, "dps")(x, t) - x0).flatten()
    loss = lambda x: measured.residual(DATA.restore(x, t)).square().sum() / 2  # noqa: E731
    steps = 1e-5 * torch.eye(N, dtype=torch.float64).reshape(N, 1, 1, 4, 4)
    gradient = -torch.stack([(loss(x + h) - loss(x - h)) / 2e-5 for h in steps])
    alpha, sigma = (float(c) for c in PROCESS.coefficients(t))
    g = sigma**2 / alpha * gradient
    r = measured.residual(x0).flatten()
    slope = torch.autograd.functional.jacobian(operator, x0)[0].reshape(M, N) @ g
    length = r @ slope / (slope @ slope + NOISE**2 * r @ slope)
    torch.testing.assert_close(found, length * g, rtol=0.02, atol=1e-4)


def test_what_no_image_explains_leads_nowhere():
    """A hole painted black, without noise: no method follows what A cannot make; what is seen is agreed with to 1e-3, by pigdm
    and moments, which assume a noise of .01, to 3e-2."""
    shape, mean = (1, 3, 8, 8), 0.2
    seen = (torch.rand(1, 1, 8, 8, generator=seeded(1)) > 0.4).float()
    x0 = torch.rand(shape, generator=seeded(2)) - 0.5
    m = Measurement(x0 * seen + (seen - 1), lambda x: x * seen, 0.0, shape)

    def restore(x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        alpha, sigma = (float(c) for c in PROCESS.coefficients(t[:1]))
        gain = alpha * 0.09 / (alpha**2 * 0.09 + sigma**2)
        return mean + gain * (x_t - alpha * mean)

    start = torch.randn(shape, generator=seeded(3))
    for method in METHODS:
        guided = likelihood(restore, m, PROCESS, method)
        made = sample(DDIM(), guided, PROCESS, State(start, ()), torch.linspace(0.99, 0, 26))
        assert float(made.abs().max()) < 3, method
        assert float(((made - x0) * seen).abs().max()) < (3e-2 if method in ("pigdm", "moments") else 1e-3), method


def test_least_squares_end_where_rounding_begins():
    """A low-pass, and a residual that lies outside of it but for a ten-thousandth: what is found is that part, to 1e-5."""
    keep = (torch.fft.fftfreq(32).abs() < 0.2).float()
    band = keep[:, None] * keep

    def low(x: torch.Tensor) -> torch.Tensor:
        return torch.fft.ifft2(torch.fft.fft2(x) * band).real

    n = torch.randn(2, 1, 32, 32, generator=seeded(0))
    for share in (1.0, 1e-2, 1e-4, 0.0):
        m = Measurement(torch.zeros(2, 1, 32, 32), low, 0.0, (2, 1, 32, 32))
        found = m.least_squares(n - low(n) + share * low(n))
        assert float((found - share * low(n)).abs().max()) < 1e-5


OPERATORS = {
    "hole": (GaussianMask(), 0.7),
    "grey": (Decolour(), 1.0),
    "pixels": (Pixelate(2), 1.0),
    "blur": (GaussianBlur(), 0.1),
    "chain": (Compose((Stage(Decolour()), Stage(Pixelate(1)))), 1.0),
}


def measured(name: str, noise: float = 0.0, dtype: torch.dtype = torch.float32) -> tuple[Measurement, torch.Tensor]:
    operator, severity = OPERATORS[name]
    x0 = torch.rand(2, 3, 16, 20, generator=seeded(3), dtype=dtype) * 2 - 1
    latent = operator.draw(x0, seeded(4))
    forward = lambda x: operator(x, torch.full((2,), severity), latent)  # noqa: E731
    return Measurement(forward(x0), forward, noise, tuple(x0.shape)), x0


@pytest.mark.parametrize("name", OPERATORS)
def test_the_adjoint_is_one(name):
    """<L v, u> = <v, L^T u>, to 1e-5 of it."""
    m, _ = measured(name)
    v, u = (torch.randn(2, 3, 16, 20, generator=seeded(seed)) for seed in (5, 6))
    assert m.linear
    torch.testing.assert_close((m.forward(v) * u).sum(), (v * m.adjoint(u)).sum(), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "most"), [("grey", 1e-5), ("pixels", 1e-5), ("chain", 1e-5), ("missing", 1e-5), ("hole", 5e-4)]
)
def test_ddnm_agrees_with_what_is_measured_without_noise(name, most):
    """|A(x0') - y| <= 1e-5, whatever the restorer says, and at the end of a walk. A hole with a soft edge, whose pixels count
    ever less, is followed as far as 50 rounds of conjugate gradients go."""
    if name == "missing":
        seen = (torch.rand(1, 1, 16, 20, generator=seeded(8)) > 0.5).float()
        m = Measurement(measured("grey")[1] * seen, lambda x: x * seen, 0.0, (2, 3, 16, 20))
    else:
        m, _ = measured(name)
    restore = likelihood(lambda x_t, t: 0.3 * x_t.roll(1, -1), m, PROCESS, "ddnm")
    x = torch.randn(2, 3, 16, 20, generator=seeded(7))
    times = torch.linspace(0.99, 0, 6)
    for x0 in (restore(x, torch.full((2,), 0.5)), sample(DDIM(), restore, PROCESS, State(x, (x,)), times)):
        assert float((m.operator(x0) - m.y).abs().max()) <= most


def test_least_squares_are_the_smallest():
    """L^+ r has no part that L does not see: 1e-4."""
    m, x0 = measured("grey")
    d = m.least_squares(m.y - m.at_nothing)
    assert (m.forward(d) - (m.y - m.at_nothing)).abs().max() < 1e-5
    assert (d - d.mean(1, keepdim=True)).abs().max() < 1e-5 and d.square().sum() < x0.square().sum()


def test_images_are_guided_each_on_its_own():
    together = moved("moments", 0.5)[0]
    x, t = at(0.5)
    for i in range(3):
        alone = likelihood(DATA.restore, DATA.measured(1), PROCESS, "moments")(x[i : i + 1], t[:1])
        torch.testing.assert_close(together[i], (alone - DATA.restore(x[i : i + 1], t[:1])).flatten(), rtol=1e-6, atol=1e-9)


def test_estimates_stay_where_nothing_is_told():
    """At t = 1, where x_t holds nothing of x0."""
    x, t = at(1.0)
    assert torch.equal(likelihood(DATA.restore, DATA.measured(3), PROCESS, "diffpir")(x, t), DATA.restore(x, t))


@pytest.mark.parametrize("method", LINEAR)
def test_operators_that_are_not_linear(method):
    x = torch.zeros(1, 3, 16, 16)
    snow, latent = Snow(), Snow().draw(x, seeded(0))
    m = Measurement(snow(x, torch.full((1,), 0.5), latent), lambda x: snow(x, torch.full((1,), 0.5), latent), 0.0, x.shape)
    with pytest.raises(ValueError, match=f"{method} is for linear operators"):
        likelihood(DATA.restore, m, PROCESS, method)


def test_diffpir_of_an_operator_that_is_not_linear(monkeypatch):
    """Where Gauss and Newton's rounds have ended, the gradient of both terms is 0: to a thousandth of each, after 10 rounds."""
    monkeypatch.setattr(sys.modules["samplers.guides.likelihood"], "LINEARISED", 10)
    x, t = at(0.6, 1)
    operator = lambda x: torch.tanh(x.flatten(1) @ DATA.L.T)  # noqa: E731
    m = Measurement(torch.tanh(DATA.y)[None], operator, NOISE, (1, 1, 4, 4))
    x0, ratio = DATA.restore(x, t), 1.0
    found = likelihood(DATA.restore, m, PROCESS, "diffpir")(x, t)
    alpha, sigma = (float(c) for c in PROCESS.coefficients(t))
    slope = torch.autograd.functional.jacobian(operator, found)[0].reshape(M, N)
    pull = m.residual(found).flatten() @ slope
    back = ratio * (NOISE * alpha / sigma) ** 2 * (found - x0).flatten()
    assert float((pull - back).abs().max()) < 1e-3 * float(pull.abs().max())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"noise": -0.1}, "noise is a standard deviation of at least 0"),
        ({"noise": float("nan")}, "noise is a standard deviation"),
        ({"y": torch.zeros(1, 3, 5, 4)}, r"makes \(1, 3, 4, 4\) of images"),
        ({"y": torch.full((1, 3, 4, 4), float("inf"))}, "NaN or infinite"),
    ],
)
def test_measurements_that_cannot_be(change, message):
    given = {"y": torch.zeros(1, 3, 4, 4), "operator": lambda x: x, "noise": 0.0, "shape": (1, 3, 4, 4), **change}
    with pytest.raises(ValueError, match=message):
        Measurement(**given)


@pytest.mark.parametrize(
    ("process", "method", "settings", "message"),
    [
        (GaussianBlur(), "dps", {}, "undoes GaussianBlur: take a run of noise"),
        (PROCESS, "exact", {}, "method is one of ddnm, "),
        (PROCESS, "moments", {"rounds": 0}, "rounds is at least 1"),
        (PROCESS, "diffpir", {"ratio": 0.0}, "ratio above 0"),
    ],
)
def test_guides_that_cannot_be(process, method, settings, message):
    with pytest.raises(ValueError, match=message):
        likelihood(DATA.restore, DATA.measured(1), process, method, **settings)


def test_operators_without_a_gradient():
    m = Measurement(torch.zeros(1, 3, 4, 4), lambda x: x.detach(), 0.0, (1, 3, 4, 4))
    with pytest.raises(ValueError, match="no gradient"):
        m.adjoint(torch.ones(1, 3, 4, 4))


@pytest.mark.parametrize(
    ("operator", "message"),
    [
        (lambda x: (10 * x).round() / 10, "has no gradient"),
        (lambda x: 0 * x, "has no gradient"),
        (lambda x: x.detach(), "has no gradient"),
        (lambda x: x > 0, "measurements are real numbers"),
        (lambda x: torch.fft.fft2(x), "measurements are real numbers"),
        (lambda x: x * (torch.rand_like(x) < 0.5), "draws something at random each time"),
        (lambda x: x.mul_(0.5), "changes the images that it is given"),
    ],
)
def test_operators_that_say_nothing(operator, message):
    """Of which an answer would be the prior's own, or made up."""
    shape = (1, 1, 8, 8)
    with pytest.raises(ValueError, match=message) as caught:
        likelihood(lambda x, t: x, Measurement(torch.zeros(shape), operator, 0.1, shape), PROCESS, "dps")
    assert "\n" not in str(caught.value)
