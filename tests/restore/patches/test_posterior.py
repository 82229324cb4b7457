from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from degrade import (
    Cosine,
    Decolour,
    GaussianBlur,
    GaussianMask,
    GaussianNoise,
    ImageMixing,
    IteratedBlur,
    Pixelate,
    RectifiedFlow,
    Snow,
    State,
    seeded,
)
from restore.evaluation.metrics import psnr
from restore.patches.overlap import cut, join, pad_to_grid
from restore.patches.posterior import PatchPosterior
from samplers import Improved, Trajectory, sample, uniform


def texture(height: int, width: int, seed: int = 0) -> torch.Tensor:
    """A smooth random picture (3, H, W) with repeated structure."""
    noise = torch.rand(1, 3, height, width, generator=seeded(seed)) * 2 - 1
    smooth = GaussianBlur(1.5)(noise, torch.ones(1))[0]
    rows, columns = torch.arange(height)[:, None], torch.arange(width)
    bricks = torch.sign(torch.sin(rows * 0.8) * torch.sin(columns * 0.5 + seed + (rows // 4 % 2)))
    return (0.8 * bricks * torch.tensor([1.0, -0.4, 0.2])[:, None, None] + smooth).clamp(-1, 1)


def brute_force(x_t, image, alpha, sigma, side, width, stride):
    """The definition, in float64, patch by patch."""
    keys = F.unfold(image[None].double(), side)[0].T
    queries = F.unfold(x_t.double(), side, stride=stride)[0].T
    means = torch.stack([(-(q - alpha * keys).square().sum(1) / (2 * sigma**2)).softmax(0) @ keys for q in queries])
    offset = (torch.arange(side).double() - (side - 1) / 2) / (width * side)
    weight = torch.exp(-(offset[:, None].square() + offset.square()) / 2)
    total, share = torch.zeros_like(x_t[0]).double(), torch.zeros(x_t.shape[-2:]).double()
    index = 0
    for top in range(0, x_t.shape[2] - side + 1, stride):
        for left in range(0, x_t.shape[3] - side + 1, stride):
            total[:, top : top + side, left : left + side] += weight * means[index].reshape(-1, side, side)
            share[top : top + side, left : left + side] += weight
            index += 1
    return (total / share).float()


@pytest.mark.parametrize("schedule", [RectifiedFlow(), Cosine()], ids=str)
@pytest.mark.parametrize("t", [0.02, 0.1, 0.3, 0.6, 0.9, 1.0])
def test_exact_equals_brute_force(schedule, t):
    """Within 1e-5, at sides that fit the stride."""
    image, noise = texture(20, 24), GaussianNoise(schedule)
    x_t = noise(texture(15, 19, 1)[None], torch.tensor([t]), (torch.randn(1, 3, 15, 19, generator=seeded(2)),))
    alpha, sigma = (float(c) for c in noise.coefficients(torch.tensor([t])))
    ours = PatchPosterior([image], noise, side=5, stride=2, neighbours=None)(x_t, torch.tensor([t]))
    torch.testing.assert_close(ours[0], brute_force(x_t, image, alpha, sigma, 5, 0.2, 2), rtol=0, atol=1e-5)


def test_fast_is_close_to_exact():
    """In the range of severities that a finer scale walks through: root mean square error below 2% of the range."""
    image, noise = texture(60, 80), GaussianNoise(RectifiedFlow())
    exact, fast = (PatchPosterior([image], noise, side=7, neighbours=n) for n in (None, 600))
    for t in (0.05, 0.2, 0.4, 0.6):
        x_t = noise(image[None, :, :41, 20:71], torch.tensor([t]), (torch.randn(1, 3, 41, 51, generator=seeded(1)),))
        error = (exact(x_t, torch.tensor([t])) - fast(x_t, torch.tensor([t]))).square().mean().sqrt()
        assert error < 0.04, t


@pytest.mark.parametrize("t", [0.05, 0.5, 0.95, 1.0])
def test_a_flat_picture_stays_flat(t):
    """All its patches are one, whatever is compared with them."""
    posterior = PatchPosterior([torch.full((3, 64, 64), 0.25)], GaussianNoise(RectifiedFlow()), 11, 0.2, 2, 100)
    x_t = torch.randn(1, 3, 40, 50, generator=seeded(6))
    torch.testing.assert_close(posterior(x_t, torch.tensor([t])), torch.full_like(x_t, 0.25), rtol=0, atol=1e-5)


def test_high_noise_is_close_to_exact():
    """Where a few neighbours are no sample of all: relative to what the posterior itself varies by, and at t = 1 exactly."""
    image, noise = texture(60, 80), GaussianNoise(RectifiedFlow())
    exact, fast = (PatchPosterior([image], noise, side=7, neighbours=n) for n in (None, 100))
    eps = torch.randn(1, 3, 41, 51, generator=seeded(1))
    for t, most in ((1.0, 1e-5), (0.99, 0.002), (0.9, 0.02), (0.8, 0.05)):
        x_t = noise(image[None, :, :41, 20:71], torch.tensor([t]), (eps,))
        error = (exact(x_t, torch.tensor([t])) - fast(x_t, torch.tensor([t]))).square().mean().sqrt()
        assert error < most, t


def test_a_bank_that_meets_all_is_exact():
    image, noise = texture(20, 24), GaussianNoise(RectifiedFlow())
    x_t = torch.randn(1, 3, 15, 15, generator=seeded(3))
    exact, fast = (PatchPosterior([image], noise, side=5, neighbours=n) for n in (None, 10**6))
    t = torch.tensor([0.5])
    torch.testing.assert_close(exact(x_t, t), fast(x_t, t), rtol=0, atol=1e-4)


def test_a_batch_of_mixed_severities_equals_a_loop():
    posterior = PatchPosterior([texture(20, 24)], GaussianNoise(RectifiedFlow()), side=5)
    x_t, t = torch.randn(3, 3, 13, 17, generator=seeded(4)), torch.tensor([0.2, 0.5, 0.2])
    together = posterior(x_t, t)
    for i in range(3):
        torch.testing.assert_close(together[i], posterior(x_t[i : i + 1], t[i : i + 1])[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("width", [0.01, 0.04, 0.2, 10.0])
@pytest.mark.parametrize(("side", "stride"), [(5, 3), (11, 2), (7, 7), (1, 1)])
def test_patches_go_and_come_back(side, stride, width):
    """Also at the corners, far from the centre of the only patch that covers them."""
    x = torch.rand(2, 3, 14, 19, generator=seeded(5))
    padded = pad_to_grid(x, side, stride)
    assert (padded.shape[2] - side) % stride == 0 and (padded.shape[3] - side) % stride == 0
    again = join(cut(padded, side, stride), padded.shape, side, stride, width)
    torch.testing.assert_close(again[..., :14, :19], x, rtol=0, atol=1e-6)


def halves(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """The left and right half of one texture."""
    whole = texture(48, 96, seed)
    return whole[..., :48], whole[..., 48:]


@pytest.mark.parametrize(
    ("operator", "t"),
    [(GaussianBlur(3.0), 0.6), (IteratedBlur(20, 7, "linear", 0.6, 0.0), 1.0), (Pixelate(1), 1.0), (Decolour(), 1.0)],
    ids=str,
)
def test_restores_the_other_half(operator, t):
    """Deterministic degradations: better than the degraded input, on a half that was not seen."""
    known, other = halves()
    x_t = operator(other[None], torch.tensor([t]))
    restored = PatchPosterior([known], operator, side=9, floor=0.03)(x_t, torch.tensor([t]))
    assert psnr(restored, other[None]) > psnr(x_t, other[None]) + 1


def test_fills_a_hole_whose_place_is_known():
    """The hole gains, what is seen stays; Algorithm 2 with the closed-form restorer, degradinged."""
    known, other = halves(3)
    mask = GaussianMask(50, 0.08)
    hole = mask.draw(other[None], seeded(1))
    hole = hole._replace(yx=torch.tensor([[22.0, 25.0]]))
    x_t = mask(other[None], torch.ones(1), hole)
    posterior = PatchPosterior([known], mask, side=11, latent=hole)
    film = Trajectory()
    restored = sample(Improved(), posterior, mask, State(x_t, hole), uniform(8), on_step=film)
    assert len(film) == 8 and psnr(restored, other[None]) > psnr(x_t, other[None]) + 3
    assert (restored - other)[..., :5, :5].abs().max() < 0.02


def test_unmixes_two_sets():
    """Neither image is known, both sets are."""
    mixing = ImageMixing(RectifiedFlow())
    first, second = texture(40, 60, 1), texture(60, 40, 9).flip(0).mT
    x0, z = first[None, :, :33, 5:38], second[None, :, 2:35, :33]
    x_t = mixing(x0, torch.tensor([0.5]), (z,))
    restored = PatchPosterior([first], mixing, side=9, others=[second], neighbours=None)(x_t, torch.tensor([0.5]))
    assert psnr(restored, x0) > psnr(x_t, x0) + 3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PatchPosterior([torch.zeros(3, 8, 8)], GaussianNoise()), "at least 11 x 11"),
        (lambda: PatchPosterior([], GaussianNoise()), "at least 11 x 11"),
        (lambda: PatchPosterior([torch.zeros(3, 20, 20)], GaussianNoise(), side=0), r"side lies in \[1, 64\], got 0"),
        (
            lambda: PatchPosterior([torch.zeros(3, 20, 20)], GaussianNoise(), stride=0),
            r"stride lies in \[1, side = 11\], got 0",
        ),
        (lambda: PatchPosterior([torch.zeros(3, 20, 20)], GaussianNoise(), stride=12), "pixels between patches would be left"),
        (
            lambda: PatchPosterior([torch.zeros(3, 20, 20)], GaussianNoise(), width=1e-9),
            r"width lies in \[0.01, 10\], got 1e-09",
        ),
        (lambda: PatchPosterior([torch.zeros(3, 20, 20)], GaussianNoise(), width=math.nan), "width lies in .* got nan"),
        (lambda: PatchPosterior([torch.zeros(3, 20, 20)], GaussianNoise(), neighbours=0), "neighbours is at least 1"),
        (lambda: PatchPosterior([torch.zeros(3, 20, 20)], GaussianNoise(), floor=0.0), r"floor lies in \[0.001, 10\], got 0.0"),
        (lambda: PatchPosterior([torch.zeros(3, 20, 20)], GaussianMask()), "has to know the latent of GaussianMask"),
        (lambda: PatchPosterior([torch.zeros(3, 20, 20)], Snow()), "has to know the latent of Snow"),
    ],
)
def test_bad_settings(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_what_is_not_local_is_refused():
    image, x = texture(30, 30), torch.rand(1, 3, 30, 30, generator=seeded(0))
    total = IteratedBlur(20, 27, "exponential", 2.0, 0.1, "circular", mean_at_end=True)
    with pytest.raises(ValueError, match="spreads a pixel over more than a patch of 5"):
        PatchPosterior([image], total, side=5)(x, torch.ones(1))
    snow = Snow(1)
    with pytest.raises(ValueError, match="act pixel by pixel; Snow does not"):
        PatchPosterior([image], snow, side=5, latent=snow.draw(x, seeded(1)))(x, torch.ones(1))
    with pytest.raises(ValueError, match="3 channels and 5 x 5 pixels, x_t is"):
        PatchPosterior([image], GaussianNoise(), side=5)(x[:, :1], torch.ones(1))
