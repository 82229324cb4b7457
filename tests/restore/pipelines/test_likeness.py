"""Samples take after the photograph that was learned: its shares of colour and contrast."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from degrade import Cosine, GaussianBlur, GaussianNoise, seeded
from restore import Edit, open_run, train
from restore.evaluation.single_image import Judge
from restore.patches import sliced
from restore.pipelines.likeness import UNTIL, Likeness
from tests.tiny import tiny

NOISE = GaussianNoise(Cosine())


def photograph(height=60, width=80):
    """A dark ground under a bright, smooth sky."""
    x = torch.linspace(1, -1, height)[None, :, None].expand(3, height, width).clone()
    x[:, height // 2 :] = -0.6 + 0.3 * torch.randn(3, height - height // 2, width, generator=seeded(1))
    return x.clamp(-1, 1)


@pytest.fixture
def prior():
    return Likeness().fit(photograph()[None], NOISE)


def test_estimates_take_the_photographs_distribution(prior):
    """SWD of a pale, noisy estimate, of another size, falls to less than a third in five calls."""
    estimate = 0.3 * torch.randn(1, 3, 48, 70, generator=seeded(2))
    restore = prior.guide(lambda x, t: x, (48, 70))
    judge, x = Judge(prior.photograph), estimate
    for _ in range(5):
        x = restore(x, torch.tensor([0.5]))
    assert judge(x[0].clamp(-1, 1)).swd < judge(estimate[0]).swd / 3


def test_the_photograph_itself_stays(prior):
    """Its own patches have nowhere to go: largest change 1e-4."""
    x = prior.photograph[None]
    assert torch.allclose(prior.guide(lambda x, t: x, (60, 80))(x, torch.tensor([0.5])), x, atol=1e-4)


def test_the_last_steps_are_the_restorers(prior):
    x = torch.randn(1, 3, 60, 80, generator=seeded(0))
    assert torch.equal(prior.guide(lambda x, t: x, (60, 80))(x, torch.tensor([UNTIL / 2])), x)


def test_an_image_does_not_depend_on_the_others(prior):
    x = torch.randn(3, 3, 60, 80, generator=seeded(0))
    restore = prior.guide(lambda x, t: x, (60, 80))
    together, alone = restore(x, torch.full((3,), 0.5)), restore(x[1:2], torch.full((1,), 0.5))
    assert torch.allclose(together[1:2], alone, atol=1e-5)


def test_memory_is_bounded_to_the_same_end(prior, monkeypatch):
    """A few directions at a time, as for large images: within 1e-5 in the mean (neighbours in rank may change places)."""
    x, restore = torch.randn(1, 3, 60, 80, generator=seeded(0)), prior.guide(lambda x, t: x, (60, 80))
    whole = restore(x, torch.tensor([0.5]))
    monkeypatch.setattr(sliced, "MOST", 5 * 60 * 80)
    assert float((restore(x, torch.tensor([0.5])) - whole).abs().mean()) < 1e-5


@pytest.mark.parametrize("size", [(1, 1), (7, 200), (8, 8), (9, 31), (33, 17)])
@pytest.mark.parametrize("own", [(8, 8), (7, 40), (60, 80)])
def test_any_size(size, own):
    prior = Likeness().fit(photograph(*own)[None], NOISE)
    x = torch.randn(2, 3, *size, generator=seeded(0))
    y = prior.guide(lambda x, t: x, size)(x, torch.full((2,), 0.5))
    assert y.shape == x.shape and bool(y.isfinite().all())


def test_draws_are_the_degradations_own(prior):
    own = NOISE.prior(prior.photograph[None])
    assert torch.equal(prior.sample((2, 3, 8, 8), [seeded(1), seeded(2)]).x, own.sample((2, 3, 8, 8), [seeded(1), seeded(2)]).x)
    blurred = Likeness().fit(photograph()[None], GaussianBlur(3.0))
    assert blurred.sample((1, 3, 60, 80), [seeded(1)]).x.shape == (1, 3, 60, 80)


def test_refusals(prior):
    with pytest.raises(ValueError, match="3 channels, 1 were asked for"):
        prior.sample((1, 1, 8, 8))
    with pytest.raises(ValueError, match="finite numbers"):
        replace(prior, photograph=torch.full((3, 8, 8), torch.nan))
    with pytest.raises(ValueError, match="directions"):
        Likeness(directions=0)


def test_of_a_run(photo, tmp_path):
    """A recipe's samples take after its photograph, edits that begin with a picture do not."""
    train(tiny(photo, prior=Likeness()), tmp_path / "run", "cpu")
    run = open_run(tmp_path / "run", "cpu")
    assert torch.equal(run.prior.photograph, run.read())
    pipeline, edit = run.prepared((32, 32), Edit())
    assert pipeline is run and len(edit.guides) == 1
    begun = Edit(begin=torch.zeros(3, 32, 32), severity=0.5)
    assert run.prepared((32, 32), begun)[1].guides == ()
    plain = replace(run, prior=run.prior.own)
    assert not torch.equal(run.generate((32, 32), progress=False), plain.generate((32, 32), progress=False))
