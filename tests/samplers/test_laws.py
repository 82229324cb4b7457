"""What holds for every sampler whatever the restorer, and the published table of one update."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from degrade import (
    OPERATORS,
    Affine,
    Cosine,
    Estimable,
    GaussianBlur,
    GaussianMask,
    GaussianNoise,
    ImageMixing,
    LinearBeta,
    RectifiedFlow,
    State,
)
from degrade.random import normal, seeded, seeds
from samplers import DDIM, DDPM, DPMSolver, Improved, Naive, OneStep, Resampled, clip, pad_to, sample, uniform
from tests.exact import oracle

ONE_STEP = [Naive(), Improved(), DDIM(), DDIM(0.5), DDIM(1.0), DDPM("small"), DDPM("large")]
SAMPLERS = [*ONE_STEP, DPMSolver(), *(Resampled(sampler, 3) for sampler in ONE_STEP)]
GAUSSIAN = [GaussianNoise(LinearBeta()), GaussianNoise(Cosine()), GaussianNoise(RectifiedFlow())]


def toy(x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    return 0.9 * x_t + 0.05 * torch.cos(3 * x_t)


def start(operator, x0: torch.Tensor, t: float = 1.0) -> State:
    latent = operator.draw(x0, seeded(0))
    return State(operator(x0, torch.full((len(x0),), t), latent), latent)


@pytest.mark.parametrize("operator", GAUSSIAN, ids=str)
@pytest.mark.parametrize("sampler", SAMPLERS, ids=str)
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_oracle_gives_the_answer_for_noise(sampler, operator, steps, images):
    x = sample(sampler, oracle(images), operator, start(operator, images), uniform(steps), generator=seeded(1))
    torch.testing.assert_close(x, images, rtol=0, atol=1e-5)


def serves(sampler, operator) -> bool:
    sampler = sampler.sampler if isinstance(sampler, Resampled) else sampler
    if sampler == DPMSolver():
        return isinstance(operator, Affine)
    if sampler == DDIM():
        return isinstance(operator, Estimable)
    return isinstance(sampler, Naive | Improved) or isinstance(operator, GaussianNoise)


@pytest.mark.parametrize(
    ("sampler", "operator"),
    [(sampler, operator()) for sampler in SAMPLERS for operator in OPERATORS if serves(sampler, operator())],
    ids=str,
)
def test_oracle_gives_the_answer_for_every_operator(sampler, operator, images):
    x = sample(sampler, oracle(images), operator, start(operator, images, 0.8), uniform(6, 0.8), generator=seeded(1))
    torch.testing.assert_close(x, images, rtol=0, atol=1e-5)


@dataclass(frozen=True)
class Additive:
    """D(x0, t, z) = x0 + t z, linear in t."""

    def __call__(self, x0, t, latent):
        return x0 + t.to(x0).reshape(-1, 1, 1, 1) * latent[0]


def test_improved_is_exact_for_a_linear_degradation_under_any_restorer(images):
    """Bansal et al., section 3.3: the errors of R cancel."""
    z = normal(images.shape, seeded(2))
    x = sample(Improved(), toy, Additive(), State(images + z, (z,)), uniform(9))
    torch.testing.assert_close(x, images, rtol=0, atol=1e-5)


@pytest.mark.parametrize("operator", [*GAUSSIAN, ImageMixing()], ids=str)
def test_ddim_is_both_algorithms_with_the_estimated_latent(operator, images):
    """x_s = D(x0, s, z) equals x_t - D(x0, t, z) + D(x0, s, z) when z is read off x_t (float64, 1e-12)."""
    x = start(operator, images.double()).x
    times = uniform(6)
    walked = sample(DDIM(), toy, operator, State(x, ()), times)
    naive = improved = x
    for t, s in zip(times[:-1].tolist(), times[1:].tolist(), strict=True):
        before, after = (torch.full((len(x),), value, dtype=torch.float64) for value in (t, s))
        x0 = toy(naive, before)
        naive = operator(x0, after, operator.estimate(naive, x0, before))
        x0 = toy(improved, before)
        z = operator.estimate(improved, x0, before)
        improved = improved - operator(x0, before, z) + operator(x0, after, z)
    torch.testing.assert_close(naive, walked, rtol=0, atol=1e-12)
    torch.testing.assert_close(improved, walked, rtol=0, atol=1e-10)


def test_dpm_solver_of_one_step_is_ddim(images):
    """The first-order step of DPM-Solver++ is DDIM's."""
    noise = GaussianNoise(Cosine())
    times = torch.tensor([0.9, 0.4])
    x = start(noise, images.double(), 0.9)
    torch.testing.assert_close(
        sample(DPMSolver(), toy, noise, x, times), sample(DDIM(), toy, noise, x, times), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("sampler", SAMPLERS, ids=str)
def test_a_sample_depends_on_its_own_seed_only(sampler):
    noise = GaussianNoise(Cosine())

    def run(first: int, count: int) -> torch.Tensor:
        generators = seeds(first, count)
        begin = noise.prior(torch.zeros(1, 3, 8, 8)).sample((count, 3, 6, 9), generators)
        return sample(sampler, toy, noise, begin, uniform(5), generator=generators)

    together, alone = run(3, 4), run(5, 1)
    torch.testing.assert_close(together[2:3], alone, rtol=0, atol=1e-6)


def test_on_step_sees_every_step(images):
    noise, seen = GaussianNoise(), []
    x = sample(DDIM(), toy, noise, start(noise, images), uniform(4), on_step=seen.append)
    assert [(step.number, step.t, step.s) for step in seen] == [(1, 1.0, 0.75), (2, 0.75, 0.5), (3, 0.5, 0.25), (4, 0.25, 0.0)]
    assert torch.equal(seen[-1].x, x)
    assert torch.equal(seen[0].x0, toy(start(noise, images).x, torch.ones(4)))


def test_a_walk_can_be_driven_by_hand(images):
    """init and step carry all state."""
    noise, times = GaussianNoise(Cosine()), uniform(5)
    begin = start(noise, images)
    state = DPMSolver().init(begin)
    for t, s in zip(times[:-1].tolist(), times[1:].tolist(), strict=True):
        before, after = (torch.full((len(images),), value, dtype=torch.float64) for value in (t, s))
        state = DPMSolver().step(toy, noise, state, before, after)
    assert torch.equal(state.x, sample(DPMSolver(), toy, noise, begin, times))


def test_no_gradients_unless_the_restorer_wants_them(images):
    noise = GaussianNoise()

    def guided(x_t, t):
        with torch.enable_grad():
            x = x_t.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(x.square().sum(), x)
        return gradient

    assert not sample(DDIM(), guided, noise, start(noise, images), uniform(2)).requires_grad


def test_clip_guide(images):
    restore = clip(lambda x_t, t: 5 * x_t)
    x0 = restore(images, torch.ones(4))
    assert x0.max() == 1 and x0.min() == -1


def test_pad_guide(images):
    shapes = []

    def restore(x_t, t):
        shapes.append(tuple(x_t.shape))
        assert x_t[..., 11:, :].abs().max() == 0 and x_t[..., 14:].abs().max() == 0
        return 2 * x_t

    assert torch.equal(pad_to(restore, 8)(images, torch.ones(4)), 2 * images)
    assert shapes == [(4, 2, 16, 16)]


@pytest.mark.parametrize("times", [[1.0], [0.0, 1.0], [1.0, 1.0, 0.0], [1.2, 0.0], [1.0, -0.1]])
def test_bad_times(times, images):
    noise = GaussianNoise()
    with pytest.raises(ValueError, match="times fall strictly"):
        sample(DDIM(), toy, noise, start(noise, images), torch.tensor(times))


@pytest.mark.parametrize("operator", [GaussianBlur(), GaussianMask(), ImageMixing()], ids=str)
@pytest.mark.parametrize("sampler", [DDIM(), DDIM(1.0), DDPM(), DPMSolver(), Resampled(DDIM(1.0)), Resampled(DDPM())], ids=str)
def test_samplers_refuse_what_they_cannot_serve(sampler, operator, images):
    if serves(sampler, operator):
        return
    with pytest.raises(ValueError, match=type(operator).__name__):
        sample(sampler, toy, operator, start(operator, images), uniform(2))


@pytest.mark.parametrize("sampler", SAMPLERS, ids=str)
def test_one_step_samplers_have_a_state_and_no_history(sampler, images):
    """What `Resampled` and canvases ask for; a latent that is called fixed stays, and one that is not is not read."""
    noise = GaussianNoise()
    begin = start(noise, images)
    assert isinstance(sampler, OneStep) == (sampler in ONE_STEP)
    if not isinstance(sampler, OneStep):
        return
    t, s = (torch.full((4,), value, dtype=torch.float64) for value in (1.0, 0.6))
    after = sampler.step(toy, noise, sampler.init(begin), t, s, seeded(1))
    assert isinstance(sampler.init(begin), State) and isinstance(after, State)
    if sampler.fixed_latent:
        assert after.latent is begin.latent
    else:
        assert torch.equal(after.x, sampler.step(toy, noise, State(begin.x, ()), t, s, seeded(1)).x)


def test_bad_eta():
    with pytest.raises(ValueError, match="eta"):
        DDIM(1.5)
