"""Published pipelines against diffusers' own, of the same tiny random weights and the same noise: images to 1e-4, relative.

Ours are made by `generate`, which knows nothing of where its network comes from.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionInpaintPipeline,
)
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution

from degrade import Degradation, GaussianPrior, seeds
from restore import Edit
from restore.published.scheduler import process
from samplers import DDIM, TimeGrid
from tests.published_models import BETAS, INPAINTING

COUNT, SEED = 2, 5
PROMPT = "a cat"


def drawn(pipeline, count: int = COUNT) -> torch.Tensor:
    """The noise that `generate` begins with."""
    cells = (pipeline.space.channels(3), *(side // pipeline.space.stride for side in pipeline.size[1:]))
    return GaussianPrior().sample((count, *cells), seeds(SEED, count)).x


def generated(pipeline, **options) -> torch.Tensor:
    return pipeline.generate(count=COUNT, seed=SEED, progress=False, **options)


def assert_same(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    """`theirs` in [0, 1], `ours` in [-1, 1]; neither is all at the bounds, where everything is the same."""
    theirs = 2 * theirs - 1
    assert float((theirs.abs() < 1).float().mean()) > 0.3 and float(theirs.std()) > 0.01
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-4 * float(theirs.abs().max()))


def with_scheduler(theirs, ours, scheduler, offset=1):
    """Both with another scheduler, ours read from its configuration."""
    read = process(json.loads(scheduler.to_json_string()), offset)
    restorer = replace(ours.restorer, degradation=read.degradation, prediction=read.prediction)
    sampling = replace(read.sampling, guidance=ours.sampling.guidance)
    options = {} if offset is None else {"requires_safety_checker": False}
    theirs = type(theirs)(**{**theirs.components, "scheduler": scheduler}, **options)
    theirs.set_progress_bar_config(disable=True)
    return theirs, replace(ours, degradation=read.degradation, sampling=sampling, restorer=restorer)


SCHEDULERS = {
    "leading": DDIMScheduler(**BETAS, clip_sample=False, set_alpha_to_one=False, steps_offset=1),
    "trailing": DDIMScheduler(**BETAS, clip_sample=False, set_alpha_to_one=False, steps_offset=1, timestep_spacing="trailing"),
    # diffusers' DDIM steps by T // N whatever the spacing; its DPM-Solver of first order is DDIM, and steps right
    "linspace": DPMSolverMultistepScheduler(**BETAS, solver_order=1, timestep_spacing="linspace", steps_offset=1),
    "dpm-solver": DPMSolverMultistepScheduler(**BETAS, timestep_spacing="leading", steps_offset=1),
    "v": DDIMScheduler(
        **BETAS,
        clip_sample=False,
        steps_offset=1,
        timestep_spacing="trailing",
        rescale_betas_zero_snr=True,
        prediction_type="v_prediction",
    ),
}


@pytest.mark.parametrize("guidance", [1.0, 7.5])
@pytest.mark.parametrize("name", SCHEDULERS)
def test_text_to_image(name, guidance, both):
    theirs, ours = with_scheduler(*both("sd"), SCHEDULERS[name])
    expected = theirs(
        [PROMPT] * COUNT,
        negative_prompt=["blurry"] * COUNT,
        num_inference_steps=8,
        guidance_scale=guidance,
        guidance_rescale=0.7,
        latents=drawn(ours),
        output_type="pt",
    ).images
    ours = ours.using(steps=8, guidance=guidance, rescale=0.7).saying(negative="blurry")
    assert_same(generated(ours, condition=PROMPT), expected)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_ancestral(prediction, both):
    """With the same noise at every step."""
    scheduler = EulerAncestralDiscreteScheduler(**BETAS, timestep_spacing="leading", steps_offset=1, prediction_type=prediction)
    theirs, ours = with_scheduler(*both("sd"), scheduler)
    assert ours.sampling.sampler == DDIM(eta=1.0)
    options = {"num_inference_steps": 8, "guidance_scale": 3.0, "generator": seeds(SEED, COUNT), "output_type": "pt"}
    expected = theirs([PROMPT] * COUNT, **options).images
    assert_same(generated(ours.using(steps=8, guidance=3.0), condition=PROMPT), expected)


LEFT_OVER = {
    **BETAS,
    "steps_offset": 1,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "clip_sample": True,
    "algorithm_type": "dpmsolver++",
    "interpolation_type": "linear",
    "lower_order_final": True,
    "sample_max_value": 1.0,
    "clip_sample_range": 2.0,
}
"""As sd-turbo's and dreamlike-diffusion's are: entries of several schedulers, which the one that is named does not take."""


@pytest.mark.parametrize(
    ("spacing", "steps"),
    [("leading", 1), ("leading", 8), ("trailing", 1), ("trailing", 8), ("linspace", 2), ("linspace", 8)],
)
@pytest.mark.parametrize("kind", [EulerDiscreteScheduler, DPMSolverMultistepScheduler])
def test_entries_that_are_left_over(kind, spacing, steps, both):
    """The same images in as many calls. Euler's noise is scaled to what ours begins with."""
    theirs, ours = with_scheduler(*both("sd"), kind.from_config({**LEFT_OVER, "timestep_spacing": spacing}))
    theirs.scheduler.set_timesteps(steps)
    begins = (theirs.scheduler.sigmas.max() ** 2 + 1).sqrt() if kind is EulerDiscreteScheduler else 1.0
    latents = drawn(ours) * begins / theirs.scheduler.init_noise_sigma
    options = {"num_inference_steps": steps, "guidance_scale": 1.0, "latents": latents, "output_type": "pt"}
    expected = theirs([PROMPT] * COUNT, **options).images
    calls: list[float] = []
    ours = ours.using(steps=steps, guidance=1.0)
    assert_same(generated(ours, condition=PROMPT, on_step=lambda step: calls.append(step.t)), expected)
    assert len(calls) == len(theirs.scheduler.timesteps)


V = {"prediction_type": "v_prediction", "timestep_spacing": "leading"}
PIXELS = {
    "clamped": DDIMScheduler(**V, clip_sample=True),
    "thresholded, to 1": DDIMScheduler(**V, thresholding=True),
    "thresholded, to any": DDIMScheduler(**V, thresholding=True, sample_max_value=float("inf")),
    "a solver's": DPMSolverMultistepScheduler.from_config({**V, "clip_sample": True}),
    "a solver's, thresholded": DPMSolverMultistepScheduler(**V, thresholding=True),
    "Euler's": EulerDiscreteScheduler.from_config({**V, "clip_sample": True, "thresholding": True}),
}


@pytest.mark.parametrize("name", PIXELS)
def test_bounds_of_estimates(name, both):
    """In pixels, by hand: diffusers' pipelines do not ask for the noise of the clipped estimate, which ours is."""
    theirs, ours = with_scheduler(*both("ddpm"), scheduler := PIXELS[name], offset=None)
    scheduler.set_timesteps(10)
    x = drawn(ours) * scheduler.init_noise_sigma
    options = {"use_clipped_model_output": True} if isinstance(scheduler, DDIMScheduler) else {}
    with torch.no_grad():
        for t in scheduler.timesteps:
            x = scheduler.step(theirs.unet(scheduler.scale_model_input(x, t), t).sample, t, x, **options).prev_sample
    walked: list[torch.Tensor] = []
    generated(ours.using(steps=10), on_step=lambda step: walked.append(step.x))
    assert float((x.abs() < 1).float().mean()) > 0.3
    torch.testing.assert_close(walked[-1], x, rtol=0, atol=1e-4 * float(x.abs().max()))


@dataclass(frozen=True)
class Strength:
    """The last levels of a grid, of which diffusers drops the first 1 - strength."""

    grid: TimeGrid
    strength: float

    def times(self, steps: int, start: float, degradation: Degradation) -> torch.Tensor:
        return self.grid.times(steps, 1.0, degradation)[steps - min(int(steps * self.strength), steps) :]


def picture(pipeline) -> torch.Tensor:
    return torch.rand(3, *pipeline.size[1:], generator=torch.Generator().manual_seed(3)) * 2 - 1


@pytest.fixture
def most_likely(monkeypatch):
    """diffusers draws a picture's latents from their posterior; so that no draw comes before the noise, its mean here."""
    monkeypatch.setattr(DiagonalGaussianDistribution, "sample", lambda self, generator=None: self.mean)


def asked(theirs, ours, **options):
    """diffusers' pipeline for a picture, whose noise is drawn as ours is."""
    theirs.set_progress_bar_config(disable=True)
    image = (picture(ours)[None].expand(COUNT, -1, -1, -1) + 1) / 2
    return theirs([PROMPT] * COUNT, image=image, num_inference_steps=10, generator=seeds(SEED, COUNT), **options).images


@pytest.mark.parametrize("strength", [0.3, 0.6, 0.9])
def test_image_to_image(strength, both, most_likely):
    theirs, ours = both("sd")
    theirs = StableDiffusionImg2ImgPipeline(**theirs.components, requires_safety_checker=False)
    expected = asked(theirs, ours, strength=strength, output_type="pt")
    ours = ours.using(steps=10, grid=Strength(ours.sampling.grid, strength))
    assert_same(generated(ours, condition=PROMPT, edit=Edit(begin=picture(ours))), expected)


def hole(pipeline) -> torch.Tensor:
    """Of whole cells: one that it covers in part is made anew here, and in diffusers as the pixel in its corner says."""
    mask = torch.zeros(1, *pipeline.size[1:])
    mask[:, 6:20, 10:30] = 1
    return mask


def test_inpainting_by_a_network_that_is_told_the_hole(both, most_likely):
    """Known pixels are the picture's own, where diffusers leaves what the decoder makes of them."""
    theirs, ours = both("sd", **INPAINTING)
    known = picture(ours) * (1 - hole(ours))
    expected = asked(theirs, ours, mask_image=hole(ours)[None].expand(COUNT, -1, -1, -1), strength=1.0, output_type="pt")
    found = generated(ours.using(steps=10), condition=PROMPT, edit=Edit(known=(picture(ours), 1 - hole(ours))))
    assert torch.equal(found * (1 - hole(ours)), known.expand_as(found))
    assert_same(torch.where(hole(ours) > 0, found, 2 * expected - 1), expected)


def test_inpainting_by_known_latents(both, most_likely):
    """Latents in the hole; around it diffusers' last step pastes the picture's own, where ours keep the noise of t = 1/T."""
    theirs, ours = both("sd")
    theirs = StableDiffusionInpaintPipeline(**theirs.components, requires_safety_checker=False)
    mask = hole(ours)
    expected = asked(theirs, ours, mask_image=mask[None].expand(COUNT, -1, -1, -1), strength=0.9, output_type="latent")
    ours = ours.using(steps=10, grid=Strength(ours.sampling.grid, 0.9))
    walked: list[torch.Tensor] = []
    edit = Edit(begin=picture(ours), known=(picture(ours), 1 - mask))
    found = generated(ours, condition=PROMPT, edit=edit, on_step=lambda step: walked.append(step.x))
    inside = mask[:, ::2, ::2].expand_as(expected) > 0
    torch.testing.assert_close(walked[-1][inside], expected[inside], rtol=0, atol=1e-4 * float(expected.abs().max()))
    torch.testing.assert_close(walked[-1][~inside], expected[~inside], rtol=0, atol=0.15)
    assert torch.equal(found * (1 - mask), (picture(ours) * (1 - mask)).expand_as(found))


def test_unconditional(both):
    """DDPM: the noise of every step too."""
    theirs, ours = both("ddpm")
    expected = theirs(batch_size=COUNT, num_inference_steps=20, generator=seeds(SEED, COUNT), output_type="np").images
    assert_same(generated(ours.using(steps=20)), torch.from_numpy(expected).permute(0, 3, 1, 2))


def test_classes(both):
    theirs, ours = both("dit")
    expected = [
        theirs([7], guidance_scale=4.0, generator=seeds(SEED + i, 1)[0], num_inference_steps=10, output_type="pt").images
        for i in range(COUNT)
    ]
    assert_same(generated(ours.using(steps=10), condition="class 7"), torch.cat(expected))


@pytest.mark.parametrize("guidance", [1.0, 7.0])
def test_flow(guidance, both):
    theirs, ours = both("sd3")
    options = {"num_inference_steps": 8, "guidance_scale": guidance, "num_images_per_prompt": COUNT}
    expected = theirs(PROMPT, height=16, width=16, latents=drawn(ours), output_type="pt", **options).images
    assert_same(generated(ours.using(steps=8, guidance=guidance), condition=PROMPT), expected)


@pytest.mark.parametrize("prompt", [PROMPT, " A Cat\n"])
def test_words_with_a_mask(prompt, both):
    """In small letters, without spaces around them: so PixArt was trained."""
    theirs, ours = both("pixart")
    options = {"num_inference_steps": 5, "num_images_per_prompt": COUNT, "use_resolution_binning": False}
    options = {**options, "negative_prompt": "A Dog", "clean_caption": False}
    expected = theirs(prompt, height=16, width=16, latents=drawn(ours), output_type="pt", **options).images
    assert_same(generated(ours.using(steps=5).saying(negative="A Dog"), condition=prompt), expected)
