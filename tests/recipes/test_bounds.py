"""No number of a stored recipe is without bounds: it may be a stranger's."""

from __future__ import annotations

from dataclasses import fields, is_dataclass

import pytest
import torch

from degrade import ImagePrior, PartnerPrior, Pixelate, ThumbnailPrior
from models import PatchUNetConfig
from restore.data.embedded import Embedded
from restore.recipe import ALLOWED
from restore.sampling import Sampling
from restore.storage.specification import SpecificationError, decode, encode
from samplers import sizes

WHOLE = [cls for cls in ALLOWED if is_dataclass(cls) and all(f.default is not f.default_factory for f in fields(cls))]
DEFAULTS = [
    cls() for cls in WHOLE if cls is not Embedded
]  # of which a folder's numbers are, and whose default names no autoencoder
NUMBERS = [
    (settings, f.name, index)
    for settings in DEFAULTS
    for f in fields(settings)
    for value in [getattr(settings, f.name)]
    for index, number in enumerate(value if isinstance(value, tuple) else (value,))
    if type(number) in (int, float)
]


@pytest.mark.parametrize(("settings", "name", "index"), NUMBERS, ids=lambda x: type(x).__name__ if is_dataclass(x) else str(x))
@pytest.mark.parametrize("huge", [10**19, -(10**19), 10**3000, float("inf"), float("nan")], ids=lambda x: f"{str(x)[:5]}")
def test_every_number_has_bounds(settings, name, index, huge):
    """In one clear line."""
    data = encode(settings)
    data[name] = [*data[name][:index], huge, *data[name][index + 1 :]] if isinstance(data[name], list) else huge
    with pytest.raises(SpecificationError) as error:
        decode(data, ALLOWED, type(settings))
    assert "\n" not in str(error.value) and len(str(error.value)) < 700


@pytest.mark.parametrize("pad_to", [0, 257, 10**9])
def test_padding_is_bounded(pad_to):
    with pytest.raises(ValueError, match="pad_to"):
        Sampling(pad_to=pad_to)


def test_squares_that_a_network_works_on_are_bounded():
    """Levels within their own bounds, together too many."""
    assert PatchUNetConfig(multipliers=(1,) * 10, kernels=(3,) * 10, patch=2).stride == 1024
    with pytest.raises(ValueError, match="squares of 2048 pixels, at most 1024"):
        PatchUNetConfig(multipliers=(1,) * 11, kernels=(3,) * 11, patch=2)


@pytest.mark.parametrize("factor", [0.9999999, 0.99])
def test_scales_of_a_pyramid_are_bounded(factor):
    assert len(sizes(250, 250, 24, 0.97)) == 77
    with pytest.raises(ValueError, match=f"a factor of {factor} makes more than 100 scales: choose a smaller one"):
        sizes(250, 250, 24, factor)


MIXTURE = {"weights": torch.ones(2) / 2, "means": torch.zeros(2, 3, 4, 5), "factors": torch.zeros(2, 60, 6)}


@pytest.mark.parametrize(
    "wrong",
    [
        {"weights": torch.ones(3)},
        {"weights": torch.ones(2, 1)},
        {"means": torch.zeros(2, 60)},
        {"means": torch.zeros(2, 3, 4, 4)},
        {"means": torch.zeros(2, 3, 4, 5, dtype=torch.int64)},
        {"means": torch.full((2, 3, 4, 5), float("nan"))},
        {"factors": torch.zeros(2, 59, 6)},
        {"factors": torch.zeros(0, 60, 6)},
        {"noise": 1e9},
    ],
    ids=lambda wrong: "{}-{}".format(*wrong, *(getattr(x, "shape", x) for x in wrong.values())),
)
def test_mixtures_of_odd_shapes(wrong):
    assert ThumbnailPrior(**MIXTURE).sample((1, 3, 8, 9)).x.shape == (1, 3, 8, 9)
    with pytest.raises(ValueError, match="weights|means|factors|noise"):
        ThumbnailPrior(**{**MIXTURE, **wrong})


@pytest.mark.parametrize(
    "images",
    [torch.zeros(0, 3, 8, 8), torch.zeros(3, 8, 8), torch.zeros(1, 3, 1, 2000), torch.zeros(1, 3, 8, 8, dtype=torch.bool)],
    ids=lambda x: str(tuple(x.shape)),
)
def test_images_of_odd_shapes(images):
    for make in (PartnerPrior, lambda x: ImagePrior(x, Pixelate())):
        assert make(torch.zeros(2, 3, 8, 9)).sample((3, 3, 20, 8)).x.shape == (3, 3, 20, 8)
        with pytest.raises(ValueError, match="images of"):
            make(images)


def test_a_tensor_stands_for_tensors_alone():
    """Not for a number, nor any settings for an operator."""
    tensors: dict[str, torch.Tensor] = {}
    data = encode(ThumbnailPrior(**MIXTURE), tensors)
    with pytest.raises(SpecificationError, match="noise is .*, expected float"):
        decode({**data, "noise": {"tensor": "means"}}, ALLOWED, ThumbnailPrior, tensors)
    with pytest.raises(SpecificationError, match="degradation is .*, expected Degradation"):
        decode({"type": "LatentPrior", "degradation": encode(Sampling())}, ALLOWED)
