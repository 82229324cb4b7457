"""Single-image metrics against a second, naive implementation of each, and in cases with a known answer."""

from __future__ import annotations

import math
import re
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import avg_pool2d, interpolate

from degrade.random import seeded
from restore.evaluation import single_image
from restore.evaluation.single_image import Judge, Report, diversity, mean


def picture(height=40, width=52, seed=0, channels=3) -> torch.Tensor:
    return torch.rand(channels, height, width, generator=seeded(seed)) * 2 - 1


def smooth(height, width, seed, channels=3) -> torch.Tensor:
    return avg_pool2d(picture(height + 4, width + 4, seed, channels), 5, 1)


def cut(x, side, stride=1) -> np.ndarray:
    """Patches (rows, columns, values) in [0, 1], float64, one by one."""
    image = (x.double().numpy() + 1) / 2
    tops, lefts = (range(0, size - side + 1, stride) for size in image.shape[1:])
    return np.array([[image[:, i : i + side, j : j + side].ravel() for j in lefts] for i in tops])


def field(x, training, side, stride=1) -> np.ndarray:
    """Row and column of the nearest training patch, for each patch: (rows, columns, 2)."""
    patches, keys = cut(x, side, stride), cut(training, side)
    found = [[np.unravel_index(((keys - patch) ** 2).sum(2).argmin(), keys.shape[:2]) for patch in row] for row in patches]
    return np.array(found)


def pyramid(x, count) -> list[torch.Tensor]:
    sizes = [x]
    for _ in range(count - 1):
        sizes.append(interpolate(sizes[-1][None], scale_factor=0.5, mode="bicubic", antialias=True)[0])
    return sizes


def spread(count, most) -> np.ndarray:
    return np.floor(np.linspace(0, count - 1, min(count, most)) + 1e-9).astype(int)


def distance(x, training, most) -> float:
    """Mean distance of at most so many patches of x to the nearest of the other."""
    queries, keys = (cut(image, 7).reshape(-1, len(x) * 49) for image in (x, training))
    queries = queries[spread(len(queries), most)]
    return float(np.mean([np.sqrt(((keys - query) ** 2).mean(1)).min() for query in queries]))


def sliced(x, training, count, most) -> float:
    """Mean over octaves of the mean difference of 2048 quantiles in 256 directions."""
    generator, values = torch.Generator().manual_seed(0), []
    for pair in zip(pyramid(x, count), pyramid(training, count), strict=True):
        directions = torch.randn(len(x) * 49, 256, generator=generator).double().numpy()
        directions /= np.sqrt((directions**2).sum(0))
        rows = [cut(image, 7).reshape(-1, len(x) * 49) for image in pair]
        ours, theirs = (
            np.quantile(patches[spread(len(patches), most)] @ directions, np.linspace(0, 1, 2048), 0) for patches in rows
        )
        values.append(np.abs(ours - theirs).mean())
    return float(np.mean(values))


def continued(x, training, within) -> float:
    place = field(x, training, 15, 2)
    hits = [np.abs(row[j] + (0, 2) - row[j + 1]).max() <= within for row in place for j in range(len(row) - 1)]
    return float(np.mean(hits))


def compressed(x, training) -> float:
    place = field(x, training, 3)
    here = np.stack(np.meshgrid(*map(np.arange, place.shape[:2]), indexing="ij"), -1)
    data = bytes(int(value) % 256 for value in np.moveaxis(place - here, 2, 0).ravel())
    return len(zlib.compress(data)) / len(data)


@pytest.mark.parametrize("channels", [3, 1])
@pytest.mark.parametrize(("height", "width", "count"), [(30, 37, 2), (27, 44, 1), (20, 31, 1)])
def test_figures_are_those_of_their_formulas(channels, height, width, count, monkeypatch):
    """Float64 within 1e-4, and the same nearest neighbours, for samples of other sizes; also where patches are left out. An
    octave counts if two patches lie side by side in both images."""
    monkeypatch.setattr(single_image, "QUERIES", 300)
    monkeypatch.setattr(single_image, "PROJECTED", 500)
    training = smooth(32, 40, 0, channels)
    x = smooth(height, width, 1, channels)
    x[:, :18, 3:21] = training[:, 4:22, 9:27]  # a part of it is a copy
    report = Judge(training)(x)
    there, back = (
        sum(distance(*images, 300) for images in zip(*(pyramid(image, count) for image in pair), strict=True)) / count
        for pair in ((x, training), (training, x))
    )
    expected = Report(
        there, back, sliced(x, training, count, 500), *(continued(x, training, k) for k in (0, 1)), compressed(x, training)
    )
    for value, naive in zip(report, expected, strict=True):
        assert value == pytest.approx(naive, rel=1e-4)
    assert report.copied > 0


def test_a_copy():
    x = smooth(60, 80, 0)
    report = Judge(x)(x.clone())
    assert report[:5] == (0, 0, 0, 1, 1) and report.nnfdiv < 0.01


def test_a_crop_is_coherent_but_not_complete():
    x = picture(56, 70)
    report = Judge(x)(x[:, 6:26, 8:60])  # of one octave
    assert report.coherence < 1e-6 and report.completeness > 0.05 and report.copied == report.copied_near == 1
    assert report.nnfdiv < 0.02


def test_a_shift_by_fractions_of_a_pixel_is_a_copy_to_one_pixel():
    """Stretched, or halfway between pixels: only what counts 1 pixel each way sees a copy."""
    x = smooth(48, 60, 0)
    stretched = interpolate(x[None], (48, 90), mode="bicubic")[0]
    report = Judge(x)(stretched)
    assert report.copied < 0.4 and report.copied_near > 0.85
    halfway = (x[..., 1:] + x[..., :-1]) / 2
    report = Judge(x)(halfway)
    assert report.copied < report.copied_near > 0.95


def test_a_constant_offset_is_the_distance():
    """All patches of a flat image are 0.1 (of 1) away from those of another."""
    flat = torch.zeros(3, 32, 32)
    report = Judge(flat)(flat + 0.2)
    assert report.coherence == pytest.approx(0.1, rel=1e-5) and report.completeness == pytest.approx(0.1, rel=1e-5)
    directions = Judge(flat)._directions
    means = [float(each.sum(0).abs().mean()) for each in directions]
    assert report.swd == pytest.approx(0.1 * sum(means) / len(means), rel=1e-4)


def test_noise_copies_nothing_and_is_incoherent():
    report = Judge(picture())(picture(seed=9))
    assert report.copied < 0.4 and report.coherence > 0.1 and report.nnfdiv > 0.5


def test_blur_is_seen_by_the_distance_of_distributions():
    x = picture(60, 80)
    blurred = avg_pool2d(x, 5, 1, 2, count_include_pad=False)
    judge = Judge(x)
    assert judge.swd(blurred) > 5 * judge.swd(picture(60, 80, seed=1))


def test_fewer_patches_give_nearly_the_same_figures():
    training, x = smooth(60, 80, 0), smooth(60, 80, 1)
    every, some = Judge(training)(x), Judge(training, every=4)(x)
    assert math.isnan(some.nnfdiv) and some.swd == every.swd
    assert some.coherence == pytest.approx(every.coherence, rel=0.05)
    assert some.completeness == pytest.approx(every.completeness, rel=0.05)


def test_the_mean_is_that_of_the_samples():
    """Two halves of the training image leave out a half each, though nothing together."""
    x = smooth(60, 120, 0)
    one, two = map(Judge(x), (x[..., :60], x[..., 60:]))
    both = mean([one, two])
    assert both.completeness == pytest.approx((one.completeness + two.completeness) / 2) and both.completeness > 0.01
    assert math.isnan(mean([one, two._replace(copied=math.nan)]).copied)


def test_diversity_of_independent_samples():
    """Independent samples with the statistics of the image have a diversity of 1 but for the bias of a deviation of eight."""
    samples = [picture(64, 64, seed) for seed in range(1, 9)]
    assert diversity(samples, picture(64, 64)) == pytest.approx(1, abs=0.05)
    assert diversity([samples[0]] * 3, samples[1]) < 1e-6
    assert math.isnan(diversity(samples[:1], samples[0]))


def test_diversity_of_samples_of_other_sizes():
    """They are brought to the training image's size."""
    training, samples = smooth(45, 52, 0), [smooth(45, 52, 1), smooth(40, 71, 2)]
    size = {"size": (45, 52), "mode": "bicubic", "antialias": True}
    same = torch.stack([interpolate(x[None], **size)[0] for x in samples]).double()
    expected = (same[0] - same[1]).abs().mean() / 2**0.5 / training.double().std()
    assert diversity(samples, training) == pytest.approx(float(expected), rel=1e-4)


def test_a_training_image_of_one_colour():
    """It has no spread to compare with; the rest is defined."""
    for colour in (-1.0, 0.3):
        flat = torch.full((3, 40, 52), colour)
        assert math.isnan(diversity([picture(), picture(seed=1)], flat))
        report = Judge(flat)(picture())
        assert report.coherence > 0.1 and all(math.isfinite(value) for value in report)


def test_images_without_neighbours():
    report = Judge(picture())(picture(15, 16))
    assert math.isnan(report.copied) and math.isnan(report.copied_near) and report.coherence > 0


@pytest.mark.parametrize("small", ["training", "sample"])
def test_images_without_a_patch_to_copy(small):
    """A photograph of 20:1 is 12 pixels high at 250: the other figures are defined, and it is 0 from itself."""
    strip, other = picture(12, 60), picture()
    report = Judge(strip)(other) if small == "training" else Judge(other)(strip)
    assert math.isnan(report.copied) and math.isnan(report.copied_near)
    assert all(
        value > 0 and math.isfinite(value) for value in (report.coherence, report.completeness, report.swd, report.nnfdiv)
    )
    assert Judge(strip).coherence(strip) < 1e-3


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (torch.zeros(3, 6, 30), "6 x 30 pixels has no 7 x 7 patch: give a larger one"),
        (torch.full((3, 30, 30), math.nan), "values that are not finite"),
        (torch.full((3, 30, 30), math.inf), "values that are not finite"),
        (torch.zeros(1, 30, 30), "a sample of 1 channels, and a training image of 3"),
    ],
)
def test_what_cannot_be_judged_is_refused(bad, message):
    judge = Judge(picture())
    for figure in (judge, judge.coherence, judge.completeness, judge.swd, judge.copied, judge.nnfdiv):
        with pytest.raises(ValueError, match=message):
            figure(bad)
    with pytest.raises(ValueError, match="every is at least 1, got 0"):
        Judge(picture(), every=0)
    if len(bad) == 3:
        with pytest.raises(ValueError, match=message):
            Judge(bad)


def test_the_snippet_of_the_documentation(photo, tmp_path, monkeypatch):
    """docs/evaluation.md, as it is."""
    monkeypatch.chdir(tmp_path)
    photo.rename("photo.jpg")
    text = (Path(__file__).resolve().parents[3] / "docs/evaluation.md").read_text(encoding="utf-8")
    (snippet, *_) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names = {"samples": [smooth(40, 56, 1), smooth(40, 56, 2)]}
    exec(compile(snippet, "docs/evaluation.md", "exec"), names)
    assert len(names["reports"]) == 2 and names["judge"].training.shape == (3, 40, 56)
