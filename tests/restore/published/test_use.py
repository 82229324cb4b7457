"""Imported pipelines under this project's guides: what `solve` and `edit` do is what the same guide does by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from degrade import GaussianBlur, GaussianPrior, NoLatent, State, seeded, seeds
from models import Condition
from restore import Edit
from restore.pipelines.editing import known_guide, on_canvas
from samplers import Measurement, clip, known_pixels, likelihood, sample
from samplers.large.tiles import joined
from tests.published_models import INPAINTING

BLUR, HALF, SEED = GaussianBlur(2.0), torch.tensor([0.5]), 5
WORDS = {"ddpm": "", "sd": "a cat"}


def picture(pipeline) -> torch.Tensor:
    return torch.rand(3, *pipeline.size[1:], generator=seeded(3)) * 2 - 1


def by_hand(pipeline, restore, start: State | None = None, severity: float = 1.0) -> torch.Tensor:
    """A walk of the pipeline's sampler along its grid, in x; decoded."""
    x = GaussianPrior().sample((1, pipeline.space.channels(3), *pipeline.padded(pipeline.size[1:])), seeds(SEED, 1))
    times = pipeline.sampling.grid.times(pipeline.sampling.steps, severity, pipeline.degradation)
    generators = seeds(SEED, 1)
    if start is None:
        GaussianPrior().sample(x.x.shape, generators)  # the draws that the start took
    else:
        generators = seeds(SEED, 1)
        pipeline.degradation.draw(start.x, generators)
    walked = sample(pipeline.sampling.sampler, restore, pipeline.degradation, start or x, times, generator=generators)
    return pipeline.decoded(walked, pipeline.size[1:])


@pytest.mark.parametrize("method", ["diffpir", "dps"])
@pytest.mark.parametrize("name", WORDS)
def test_solve(name, method, both):
    """In pixels, and in latents, where the operator sees what is decoded: bit for bit."""
    ours = both(name)[1].using(steps=2)
    y = BLUR(picture(ours)[None], HALF, NoLatent())
    found = ours.solve(y[0], BLUR, 0.5, noise=0.05, method=method, count=1, seed=SEED, condition=WORDS[name], progress=False)
    restore = ours.using(clip=False).guided(ours.conditions(range(1), WORDS[name]))
    shape = (1, ours.space.channels(3), *ours.padded(ours.size[1:]))
    measured = Measurement(y, lambda x: BLUR(ours.space.decode(x), HALF, NoLatent()), 0.05, shape)
    guided = likelihood(restore, measured, ours.degradation, method, ratio=ours.ratio)
    expected = by_hand(ours, clip(guided) if name == "ddpm" else guided)
    assert torch.equal(found.samples, expected) and bool(expected.isfinite().all()) and float(expected.std()) > 0.01


def test_linear_methods_need_pixels(both):
    ours = both("sd")[1].using(steps=2)
    with pytest.raises(ValueError, match="ddnm is for linear operators, and this one is not"):
        ours.solve(picture(ours), BLUR, 0.5, method="ddnm", count=1, progress=False)


@pytest.mark.parametrize("name", WORDS)
def test_inpaint_and_sdedit(name, both):
    ours = both(name)[1].using(steps=3)
    image, stays = picture(ours), torch.zeros(1, *ours.size[1:])
    stays[:, :, : ours.size[2] // 2] = 1
    known = ours.generate(seed=SEED, condition=WORDS[name], edit=Edit(known=(image, stays)), progress=False)
    restore = ours.guided(ours.conditions(range(1), WORDS[name]))
    if name == "ddpm":
        guided = known_guide(image, stays)(restore, ours.size[1:])
    else:
        guided = known_pixels(restore, ours.space.encode(image[None]), ours.space.masked(stays[None]))
    assert torch.equal(known, torch.lerp(by_hand(ours, guided), image, stays))
    assert torch.equal(known[0] * stays, image * stays)
    edited = ours.generate(seed=SEED, condition=WORDS[name], edit=Edit(begin=image, severity=0.4), progress=False)
    x0 = ours.space.encode(image[None])
    times = ours.sampling.grid.times(3, 0.4, ours.degradation)
    latent = ours.degradation.draw(x0, seeds(SEED, 1))
    start = State(ours.degradation(x0, times[:1], latent), latent)
    assert torch.equal(edited, by_hand(ours, restore, start, 0.4))


@pytest.mark.parametrize("options", [{}, INPAINTING], ids=["known latents", "told"])
def test_a_hole_narrower_than_a_cell(options, both):
    """Without a pixel in the corner of one: all cells that it touches are made anew, as words say."""
    ours = both("sd", **options)[1].using(steps=2)
    image, stays = picture(ours), torch.ones(1, *ours.size[1:])
    stays[:, 7:20, 9:10] = 0
    edit = Edit(known=(image, stays))
    cells = ours.space.masked(stays[None])
    assert int((cells == 0).sum()) == 7  # rows 6 to 19 of pixels, in two
    assert bool((cells.repeat_interleave(2, 2).repeat_interleave(2, 3) <= stays).all())
    if options:
        assert torch.equal(ours.prepared(ours.size[1:], edit)[0].told[:, :1], 1 - cells)
    cat, dog = (ours.generate(seed=SEED, condition=words, edit=edit, progress=False)[0] for words in ("a cat", "two dogs"))
    assert float((cat - dog)[:, 7:20, 9].abs().mean()) > 1e-3
    assert torch.equal(cat * stays, image * stays) and torch.equal(dog * stays, image * stays)


def test_partial_cells_at_the_edge_are_known(both):
    """Where all of their pixels that the picture has are."""
    ours = both("sd")[1]
    assert torch.equal(ours.shrunk(torch.ones(1, 5, 7), (8, 8))[0, 0], torch.tensor([[1.0] * 4] * 3 + [[0.0] * 4]))


def test_outpaint_and_sizes_that_are_no_multiple(both):
    """The picture's own pixels stay in the middle of a larger one, of sides that neither codec nor network works on."""
    ours = both("sd")[1].using(steps=2)
    canvas, stays = on_canvas(picture(ours), (41, 50))
    made = ours.generate((41, 50), 2, edit=Edit(known=(canvas, stays)), condition="a cat", progress=False)
    assert made.shape == (2, 3, 41, 50) and torch.equal(made * stays, (canvas * stays).expand_as(made))
    assert float((made[0] - made[1]).abs().max()) > 0.01


def test_words(both):
    """Prompts are encoded once; no words, and no words to avoid, are one and the same, and cost one call a step."""
    ours = both("sd")[1].using(steps=2)
    calls = []
    network = replace(ours.restorer.network, load=lambda: calls.append(0) or ours.restorer.network.load())
    counted = replace(ours, restorer=replace(ours.restorer, network=network))
    for words, count in (("", 2), (None, 2), ("a cat", 4)):
        counted.generate(condition=words, progress=False)
        assert len(calls) == count
        calls.clear()
    assert ours.words(["a cat"]) is ours.words(("a cat",)) is ours.words("a cat")
    with pytest.warns(UserWarning, match="a prompt of 82 tokens is cut to the 77 that the model reads"):
        ours.words(["a" * 80])
    several = ours.generate(count=2, seed=3, condition=ours.words(["a cat", "rain"]), progress=False)
    torch.testing.assert_close(several[1:], ours.generate(seed=4, condition="rain", progress=False), rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match="conditioned on words: give a prompt, or tokens"):
        ours.generate(condition=Condition(), progress=False)
    with pytest.raises(ValueError, match="was not trained with words: leave out prompt"):
        both("ddpm")[1].saying(negative="rain")
    with pytest.raises(ValueError, match="there is no class 'dog': .* knows class 0; .* and 980 more"):
        both("dit")[1].generate(condition="dog", progress=False)


def test_networks_of_some_sizes(both):
    """DiT's work on squares, Stable Diffusion 3's on as many cells as they have places for."""
    large = both("sd3")[1].using(steps=1)
    assert large.generate((20, 32), condition="a cat", progress=False).shape == (1, 3, 20, 32)
    with pytest.raises(ValueError, match="knows places in 16 x 16 cells, got 10 x 18: give a smaller size, or picture"):
        large.generate((20, 36), condition="a cat", progress=False)
    ours = both("dit")[1].using(steps=1)
    assert ours.generate((24, 24), condition="class 7", progress=False).shape == (1, 3, 24, 24)
    with pytest.raises(ValueError, match="works on squares, got 10 x 12 cells: give a square size, or picture"):
        ours.generate((20, 24), condition="class 7", progress=False)


@pytest.mark.parametrize("keeps", [True, False])
def test_windows_of_a_network_that_is_told_a_picture(keeps, both):
    """Each of its own part: as by hand. Of a window that holds everything, what is made without."""
    ours = both("sd", **INPAINTING)[1].using(steps=2)
    size, windows = (24, 48), (8, 2)
    ours = replace(ours, size=(3, *size))
    stays = torch.zeros(1, *size)
    stays[..., :20] = 1
    edit = Edit(known=(picture(ours), stays) if keeps else None)
    options = {"seed": SEED, "condition": "a cat", "progress": False}
    found = ours.generate(size, edit=edit._replace(windows=windows), **options)
    told = ours.prepared(size, edit)[0].conditions(range(1), "a cat")

    def restore(x, t):
        def seen(window):
            return ours.guided(told._replace(image=told.image[(..., *window)]))(x[(..., *window)], t)

        return joined(seen, (x.shape[-2], x.shape[-1]), *windows, ours.stride)

    expected = by_hand(ours, restore)
    expected = torch.lerp(expected, picture(ours), stays) if keeps else expected
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)
    whole = ours.generate(size, edit=edit, **options)
    assert float((whole - found).abs().max()) > 1e-3
    torch.testing.assert_close(ours.generate(size, edit=edit._replace(windows=(24, 2)), **options), whole, rtol=0, atol=1e-5)


def test_windows_of_a_network_that_works_on_squares(both):
    with pytest.raises(
        ValueError, match="works on squares alone, and the windows of a panorama are none: ask for a square image"
    ):
        both("dit")[1].generate((16, 16), condition="class 7", edit=Edit(windows=(4, 1)), progress=False)


def test_classes_of_several_names(both):
    """As ImageNet's have; each of them is asked for by any, and by all."""
    ours = both("dit")[1]
    named = replace(ours, classes=("tench, Tinca tinca", "goldfish", *ours.classes[2:]))
    assert [int(named.conditions(range(1), name).label[0]) for name in ("Tinca tinca", "tench, Tinca tinca", "goldfish")] == [
        0,
        0,
        1,
    ]
    with pytest.raises(ValueError, match="there is no class 'inca'"):
        named.conditions(range(1), "inca")
