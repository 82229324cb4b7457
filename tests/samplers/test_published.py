"""Parity with SinDiffusion's diffusion process: posterior steps, respaced DDIM and ancestral paths."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from degrade import GaussianNoise, LinearBeta, State
from degrade.severity import per_sample
from restore import Restorer
from samplers import DDIM, DDPM, Respaced, clip, pad_to, sample
from tests.models.test_patch_unet import published
from tests.reference import assert_golden, given, golden, noise, toy_eps

NOISE = GaussianNoise(LinearBeta(1000))
T = 1000


def severity(steps, dtype=torch.float64) -> torch.Tensor:
    return (torch.as_tensor(steps, dtype=dtype) + 1) / T


def small_std(t: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
    """Of q(x_s | x_t, x0)."""
    x = torch.zeros(len(t), 1, 1, 1)
    return NOISE.posterior(x, x, t, s)[1]


def large_std(t: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
    """Of q(x_t | x_s)."""
    return NOISE.transition(t, s)[1]


def before(t: torch.Tensor) -> torch.Tensor:
    """The severity one step earlier."""
    return ((t * T).round() - 1) / T


def test_posterior_tables():
    t = severity(torch.arange(T))
    s = before(t)
    alpha_t, sigma_t = NOISE.coefficients(t)
    alpha_s, sigma_s = NOISE.coefficients(s)
    small, large = small_std(t, s).square(), large_std(t, s).square()
    assert_golden(small, "posterior_variance")
    assert_golden(alpha_s * large / sigma_t.square(), "posterior_mean_coef1")
    assert_golden(alpha_t / alpha_s * sigma_s.square() / sigma_t.square(), "posterior_mean_coef2")
    # the published code replaces the first entry, which no sampler uses (no noise is added on arriving at 0)
    assert_golden(torch.cat([small[1:2], small[1:]]).log(), "posterior_log_variance_clipped")
    assert_golden(torch.cat([small[1:2], large[1:]]), "fixed_large_variance")


def test_degradation():
    _, _, params = golden("q_sample")
    x_t = NOISE(given(params["x"]), severity(params["t"], torch.float32), (given(params["eps"]),))
    assert_golden(x_t, "q_sample")


class FromEps:
    """A noise predictor as a restorer, on the published steps."""

    def __init__(self, predict=None) -> None:
        self.predict = predict or toy_eps

    def __call__(self, x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return Restorer(self.network, NOISE, "eps", "float32")(x_t, t)

    def network(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return self.predict(x, round(float(t[0]) * T) - 1)


@pytest.mark.parametrize("clipped", [True, False])
def test_single_steps(clipped, monkeypatch):
    name = "clip" if clipped else "noclip"
    _, _, params = golden(f"step_mean_{name}")
    x, eps, t = given(params["x"]), given(params["eps"]), severity(params["t"])
    restore = Restorer(lambda x_t, t: eps, NOISE, "eps", "float32")
    restore = clip(restore) if clipped else restore
    assert_golden(restore(x, t), f"step_pred_xstart_{name}")
    monkeypatch.setattr("samplers.first_order.normal", lambda shape, generator: torch.zeros(shape))  # the mean alone
    assert_golden(DDPM().step(restore, NOISE, DDPM().init(State(x, ())), t, before(t)).x, f"step_mean_{name}")


@pytest.mark.parametrize(("kind", "std"), [("small", small_std), ("large", large_std)])
def test_single_step_variances(kind, std):
    _, _, params = golden(f"step_variance_fixed_{kind}")
    t = severity(params["t"])
    variance = std(t, before(t)).square()
    first = small_std(severity([1]), severity([0])).square()  # the published stand-in for step 0
    logarithm = torch.cat([first, variance[1:]]).log()
    assert_golden(logarithm, f"step_log_variance_fixed_{kind}")
    assert_golden(torch.cat([first if kind == "large" else variance[:1], variance[1:]]), f"step_variance_fixed_{kind}")


def path(sampler, grid: Respaced, clipped: bool, shape) -> list[torch.Tensor]:
    """The states after each step, with the published start."""
    states: list[torch.Tensor] = []
    restore = clip(FromEps()) if clipped else FromEps()
    sample(
        sampler, restore, NOISE, State(noise(shape), ()), grid.times(T, 1.0, NOISE), on_step=lambda step: states.append(step.x)
    )
    return states


@pytest.mark.parametrize("name", ["ddim_clip", "ddim_noclip", "ddim_fractional_clip"])
def test_ddim_paths(name):
    _, _, params = golden(f"{name}_final")
    shape = params["x_T"]["shape"]
    states = path(DDIM(), Respaced(T, params["respacing"]), params["clip_denoised"], shape)
    assert_golden(states[-1], f"{name}_final")
    if "fractional" not in name:
        after = golden(f"{name}_mid")[2]["after_steps"]
        assert_golden(torch.stack([states[i - 1] for i in after]), f"{name}_mid")


@pytest.mark.parametrize("name", ["ancestral_clip", "ancestral_noclip", "ancestral_respaced_clip"])
def test_ancestral_paths(name, monkeypatch):
    _, _, params = golden(f"{name}_final")
    shape = params["x_T"]["shape"]
    grid = Respaced(T, params["respacing"] or "")
    drawn = published_noise(len(grid.kept), shape)
    monkeypatch.setattr("samplers.first_order.normal", lambda shape, generator: next(drawn))
    states = path(DDPM("large"), grid, params["clip_denoised"], shape)
    assert_golden(states[-1], f"{name}_final")
    if "respaced" in name:
        return
    after = golden(f"{name}_mid")[2]["after_steps"]
    assert_golden(torch.stack([states[i - 1] for i in after]), f"{name}_mid")
    means = []
    for i in after:  # the mean is the state less the noise that was added to it
        index = len(grid.kept) - i
        t = severity([index])
        std = large_std(t, before(t)) if index else torch.zeros(1)
        means.append(states[i - 1] - per_sample(std, states[0]) * noise(shape, s=index + 1))
    assert_golden(torch.stack(means), f"{name}_mean_mid")


def published_noise(count: int, shape) -> Iterator[torch.Tensor]:
    """The noise injected when leaving index i is noise(shape; s = i + 1)."""
    for index in reversed(range(count)):
        yield noise(shape, s=index + 1)


def test_padded_step(monkeypatch):
    """The sampling script's zero padding to a multiple of 8 at the bottom and right."""
    _, _, params = golden("ssn_padded_mean")
    x, t = given(params["x"]), severity(params["t"])
    network = published(params["model"])
    monkeypatch.setattr("samplers.first_order.normal", lambda shape, generator: torch.zeros(shape))
    with torch.no_grad():
        restore = clip(pad_to(Restorer(network, NOISE, "eps", "float32"), 8))
        assert_golden(restore(x, t), "ssn_padded_pred_xstart")
        assert_golden(DDPM().step(restore, NOISE, DDPM().init(State(x, ())), t, before(t)).x, "ssn_padded_mean")
