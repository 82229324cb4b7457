from __future__ import annotations

import json

import pytest
import torch

from degrade import (
    OPERATORS,
    Compose,
    Curve,
    GaussianBlur,
    GaussianMask,
    GaussianNoise,
    ImagePrior,
    LatentPrior,
    Prior,
    Stage,
    ThumbnailPrior,
)
from recipes import sindiffusion
from restore.recipe import ALLOWED, Recipe
from restore.storage.specification import SpecificationError, decode, encode


@pytest.mark.parametrize("preset", ["fast", "best", "paper"])
@pytest.mark.parametrize("operator", [None, *(operator() for operator in OPERATORS)], ids=str)
def test_recipe_round_trip(preset, operator):
    recipe = sindiffusion.recipe("photo.jpg", preset, operator)
    assert decode(json.loads(json.dumps(encode(recipe))), ALLOWED, Recipe) == recipe


@pytest.mark.parametrize(
    "prior",
    [
        ThumbnailPrior.fit(torch.rand(5, 3, 8, 8), (1, 1), 2),
        ImagePrior(torch.ones(1, 3, 4, 4), GaussianMask(steps=3)),
        LatentPrior(Compose((Stage(GaussianMask(reverse=True), Curve(0.1, 0.9, 2.0)), Stage(GaussianNoise())))),
    ],
    ids=lambda prior: type(prior).__name__,
)
def test_prior_round_trip(prior):
    tensors = {}
    again = decode(json.loads(json.dumps(encode(prior, tensors))), ALLOWED, Prior, tensors)
    for name in vars(prior):
        a, b = getattr(prior, name), getattr(again, name)
        assert torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b


def change(data, path, value):
    data = json.loads(json.dumps(data))
    inside = data
    for key in path[:-1]:
        inside = inside[key]
    if value is None:
        del inside[path[-1]]
    else:
        inside[path[-1]] = value
    return data


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["degradation", "sigma"], 3.0, r"unknown entries \['sigma'\]"),
        (["degradation", "sigma_max"], None, r"lacks the entries \['sigma_max'\]"),
        (["degradation", "sigma_max"], "8", "degradation.sigma_max is '8', expected float"),
        (["degradation", "sigma_max"], -1.0, "sigma_max is a width"),
        (["degradation", "border"], "mirror", "one of 'reflect', 'circular'"),
        (["degradation", "type"], "os.system", "has the type 'os.system', expected one of"),
        (["degradation"], {"type": "Training"}, "lacks the entries"),
        (["network", "multipliers"], [1, "2"], "network.multipliers.1 is '2', expected int"),
        (["training", "steps"], True, "training.steps is True, expected int"),
        (["training", "steps"], 1.5, "training.steps is 1.5, expected int"),
        (["training"], 3, "training is 3, expected Training"),
        (["degradation"], {"tensor": "x"}, "refers to the tensor 'x', which is missing"),
    ],
)
def test_strict(path, value, message):
    data = encode(sindiffusion.recipe("photo.jpg", degradation=GaussianBlur()))
    with pytest.raises(SpecificationError, match=message):
        decode(change(data, path, value), ALLOWED, Recipe)


def test_a_part_cannot_stand_in_another_place():
    data = encode(sindiffusion.recipe("photo.jpg"))
    data["degradation"] = encode(sindiffusion.recipe("photo.jpg").training)
    with pytest.raises(SpecificationError, match="degradation is"):
        decode(data, ALLOWED, Recipe)


def test_whole_numbers_serve_as_floats():
    data = change(encode(GaussianBlur()), ["sigma_max"], 8)
    assert decode(data, ALLOWED, GaussianBlur) == GaussianBlur(8.0)


def test_what_cannot_be_stored_is_refused():
    with pytest.raises(SpecificationError, match="degradation is a function"):
        encode(Recipe("photo.jpg", degradation=lambda x, t, z: x))
    with pytest.raises(SpecificationError, match="weights is a Tensor"):
        encode(ThumbnailPrior.fit(torch.zeros(1, 3, 4, 4), (1, 1)))
    assert encode(GaussianNoise())["type"] == "GaussianNoise"
