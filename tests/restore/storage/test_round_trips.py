"""Everything that a run can be made of comes back from its specification as it was, alone and composed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from degrade import (
    COUPLINGS,
    OPERATORS,
    PRIORS,
    SCHEDULES,
    BridgePrior,
    Compose,
    Coupling,
    Curve,
    Degradation,
    GaussianMask,
    GaussianNoise,
    GaussianPrior,
    ImageMixing,
    ImagePrior,
    LatentPrior,
    PartnerPrior,
    Prior,
    Stage,
    ThumbnailPrior,
)
from restore import TIMES, Levels, LogitNormal, Space, TimeSampling, Training
from restore.recipe import ALLOWED, Recipe, Sampling
from restore.space import SPACES
from restore.storage.specification import SpecificationError, check_round_trip, decode, encode
from samplers import DDIM, DDPM, GRIDS, SAMPLERS, DPMSolver, LogSNRUniform, OneStep, Resampled, Respaced, Sampler, TimeGrid

ALL = Compose(tuple(Stage(operator(), Curve(0.1, 0.9, 2.0)) for operator in OPERATORS))
OPERATORS_ALONE = [
    *(operator() for operator in OPERATORS),
    *(kind(schedule()) for kind in (GaussianNoise, ImageMixing) for schedule in SCHEDULES),
    GaussianMask(colour=(0.1, -0.2, 0.3), reverse=True),
]
SAMPLERS_ALONE = [*(sampler() for sampler in SAMPLERS), DDIM(0.3), DDPM("large")]
ONE_STEP = [sampler for sampler in SAMPLERS_ALONE if isinstance(sampler, OneStep)]
GRIDS_ALONE = [*(grid() for grid in GRIDS), LogSNRUniform(0.02), Respaced(50, "ddim25"), Respaced(100, "10,5")]
TIMES_ALONE = [*(times() for times in TIMES), LogitNormal(-0.4, 1.2), Levels(7)]
IMAGES = torch.linspace(-1, 1, 3 * 3 * 8 * 8).reshape(3, 3, 8, 8)
PRIORS_ALONE = {
    GaussianPrior: GaussianPrior(),
    ThumbnailPrior: ThumbnailPrior.fit(IMAGES, (2, 2), noise=0.1),
    ImagePrior: ImagePrior(IMAGES, ALL),
    PartnerPrior: PartnerPrior(IMAGES),
    BridgePrior: BridgePrior(IMAGES),
    LatentPrior: LatentPrior(GaussianMask(reverse=True)),
}


def assert_comes_back(value, hint) -> None:
    """From text, where each of its types is on the list and stands in a place of type `hint`."""
    again = decode(json.loads(json.dumps(encode(value))), ALLOWED, hint)
    assert type(again) is type(value) and again == value and hash(again) == hash(value)


@pytest.mark.parametrize(
    "operator", [*OPERATORS_ALONE, ALL, Compose((Stage(ALL), Stage(Compose((Stage(ALL),)), Curve(end=0.5))))], ids=str
)
def test_operators_and_schedules(operator):
    assert_comes_back(operator, Degradation)


@pytest.mark.parametrize("sampler", [*SAMPLERS_ALONE, *(Resampled(sampler, 7) for sampler in ONE_STEP)], ids=str)
def test_samplers(sampler):
    assert_comes_back(sampler, Sampler)


@pytest.mark.parametrize("grid", GRIDS_ALONE, ids=str)
def test_time_grids(grid):
    assert_comes_back(grid, TimeGrid)


@pytest.mark.parametrize("coupling", COUPLINGS)
def test_couplings(coupling):
    assert_comes_back(coupling(), Coupling)


@pytest.mark.parametrize("space", SPACES)
def test_spaces(space):
    assert_comes_back(space(), Space)


@pytest.mark.parametrize("times", TIMES_ALONE, ids=str)
def test_time_sampling(times):
    assert_comes_back(times, TimeSampling)
    assert_comes_back(Training(times=times), Training)


@pytest.mark.parametrize("prior", PRIORS, ids=lambda prior: prior.__name__)
def test_priors(prior):
    """Tensors too, bit for bit. (A prior in PRIORS without an example here is a KeyError.)"""
    check_round_trip(PRIORS_ALONE[prior], ALLOWED, Prior)


@pytest.mark.parametrize("sampler", [*SAMPLERS_ALONE, *map(Resampled, ONE_STEP)], ids=str)
@pytest.mark.parametrize("operator", [*(operator() for operator in OPERATORS), ALL], ids=lambda one: type(one).__name__)
def test_in_a_recipe(operator, sampler):
    recipe = Recipe(Path("photo.jpg"), operator, sampling=Sampling(sampler), training=Training(times=LogitNormal()))
    assert_comes_back(recipe, Recipe)
    check_round_trip(recipe, ALLOWED, Recipe)


def test_a_sampler_with_history_is_not_resampled_from_a_file_either():
    data = encode(Resampled(DDIM()))
    with pytest.raises(SpecificationError, match="sampler is .*DPMSolver.*expected OneStep"):
        decode({**data, "sampler": encode(DPMSolver())}, ALLOWED, Sampler)


def test_what_is_off_the_list_does_not_come_back():
    """So a type that is missing from ALLOWED fails above."""
    kept = tuple(cls for cls in ALLOWED if cls is not Respaced)
    with pytest.raises(SpecificationError, match="has the type 'Respaced', expected one of"):
        decode(encode(Respaced()), kept, TimeGrid)
