"""DiffEdit against diffusers' pipeline of the same tiny weights: its mask, and its picture, pinned one level too late."""

from __future__ import annotations

import itertools
import warnings

import pytest
import torch
from diffusers import DDIMInverseScheduler, StableDiffusionDiffEditPipeline
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution

from degrade import Stream, seeded
from restore.pipelines import diffedit
from samplers import Pinned
from tests.restore.published.test_parity import SEED, Strength, picture

SOURCE, TARGET = "a cat", "two dogs"
STEPS, SHARE, NOISES = 10, 0.8, 4


class Lagged(Pinned):
    """Pinned to the level before each step, as diffusers is."""

    def __post_init__(self) -> None:
        levels = sorted(self.known, reverse=True)
        late = {s: self.known[t] for t, s in itertools.pairwise(levels)}
        object.__setattr__(self, "known", late)


@pytest.fixture
def pair(both, monkeypatch):
    monkeypatch.setattr(DiagonalGaussianDistribution, "sample", lambda self, generator=None: self.mean)
    theirs, ours = both("sd")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        inverse = DDIMInverseScheduler.from_config(theirs.scheduler.config)
        parts = {name: part for name, part in theirs.components.items() if name != "image_encoder"}
        theirs = StableDiffusionDiffEditPipeline(**parts, inverse_scheduler=inverse, requires_safety_checker=False)
    theirs.set_progress_bar_config(disable=True)
    return theirs, ours.using(steps=STEPS, grid=Strength(ours.sampling.grid, SHARE), guidance=7.5)


@pytest.mark.parametrize("threshold", [1.0, 1.5])
def test_mask(threshold, pair):
    theirs, ours = pair
    seen = picture(ours)[None]
    expected = theirs.generate_mask(
        (seen + 1) / 2,
        TARGET,
        source_prompt=SOURCE,
        num_maps_per_mask=NOISES,
        mask_thresholding_ratio=2 * threshold,
        num_inference_steps=STEPS,
        generator=[seeded(SEED, Stream.SAMPLE, k) for k in range(NOISES)],
    )
    apart = diffedit.disagreement(ours, seen, TARGET, SOURCE, severity=0.402, noises=NOISES, seed=SEED)
    found = diffedit.above(apart, threshold)
    assert 0.02 < float(found.mean()) < 0.6
    stride = ours.space.stride
    assert torch.equal(found[0, :, ::stride, ::stride], torch.from_numpy(expected).float())


def test_picture(pair, monkeypatch):
    """diffusers' with its lag; ours ends with the picture's own pixels outside the mask."""
    theirs, ours = pair
    seen, mask = picture(ours)[None], torch.zeros(1, 1, *ours.size[1:])
    mask[..., 6:20, 8:30] = 1
    latents = theirs.invert("", (seen + 1) / 2, STEPS, SHARE, guidance_scale=1.0).latents
    cells = mask[..., :: ours.space.stride, :: ours.space.stride]
    expected = 2 * theirs(TARGET, cells, latents, SHARE, STEPS, output_type="pt").images - 1
    right = diffedit.diffedit(ours, seen, TARGET, mask=mask, progress=False).images
    monkeypatch.setattr(diffedit, "Pinned", Lagged)
    lagged = diffedit.diffedit(ours, seen, TARGET, mask=mask, progress=False).images
    inside = mask.expand_as(seen) > 0
    assert float(expected[inside].std()) > 0.01
    torch.testing.assert_close(lagged[inside], expected[inside], rtol=0, atol=1e-4)
    assert float((right - lagged)[inside].abs().max()) > 1e-3
    assert torch.equal(right[~inside], seen[~inside])


def test_a_mask_narrower_than_a_cell(pair):
    _, ours = pair
    seen, mask = picture(ours)[None], torch.zeros(1, 1, *ours.size[1:])
    mask[..., 7:20, 9] = 1
    made = [diffedit.diffedit(ours, seen, words, mask=mask, progress=False).images for words in (TARGET, SOURCE)]
    assert float((made[0] - made[1])[..., 7:20, 9].abs().mean()) > 0.05
