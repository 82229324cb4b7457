"""Parity with Cold Diffusion's published operators."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from degrade import CosineBeta, Decolour, GaussianMask, GaussianNoise, ImageMixing, IteratedBlur, Pixelate, Snow
from tests.reference import assert_golden, assert_golden_bytes, cut_to_bytes, given, golden, noise


def severities(params) -> torch.Tensor:
    """Published index t (0-based) is severity (t + 1)/T."""
    return (torch.tensor(params["t"], dtype=torch.float64) + 1) / params["T"]


def published_blur(params) -> IteratedBlur:
    std, steps, size = params["kernel_std"], params["T"], params["kernel_size"]
    mean = params.get("discrete", False)
    return {
        "Incremental": IteratedBlur(steps, size, "linear", std, std, "circular", mean),
        "Constant": IteratedBlur(steps, size, "linear", std, 0.0, "circular", mean),
        "Exponential": IteratedBlur(steps, size, "exponential", 1.0, std, "circular", mean),
        "Exponential_reflect": IteratedBlur(steps, size, "exponential", 1.0, std, "reflect", mean),
        "Special_6_routine": IteratedBlur(steps, 11, "linear", 0.35, 0.01, "reflect", mean),
    }[params["routine"]]


@pytest.mark.parametrize("name", ["cifar", "celeba", "gen", "mnist", "incr"])
def test_blur(name):
    """One product of transfer functions instead of s convolutions."""
    _, _, params = golden(f"{name}_q")
    assert_golden(published_blur(params)(given(params["x0"]), severities(params)), f"{name}_q", regrouped=5)
    _, _, params = golden(f"{name}_kernel_row")
    assert_golden(published_blur(params).kernels()[params["t"]], f"{name}_kernel_row")


def test_blur_to_the_mean():
    _, _, params = golden("gen_q_discrete")
    x = published_blur(params)(given(params["x0"]), severities(params))
    assert_golden_bytes(cut_to_bytes(x), "gen_q_discrete", regrouped=5)
    assert_golden(x[3:], "gen_q_discrete_T_unquantised", regrouped=5)


def published_mask(params, reverse: bool = False) -> GaussianMask:
    centre = "random" if params.get("routine") == "Random_Incremental" else "middle"
    return GaussianMask(params["T"], params["kernel_std"], params["initial_mask"], centre, reverse=reverse)


def published_hole(params, x0: torch.Tensor, mask: GaussianMask):
    """The window at (row, col) of the mask centred at S - 1 of a side of 2S has the centre (S - 1 - row, S - 1 - col)."""
    if mask.centre == "middle":
        return mask.draw(x0)
    offsets = torch.tensor([params["row_offsets"], params["col_offsets"]], dtype=x0.dtype).T
    return params["image_size"] - 1 - offsets, torch.zeros(len(x0), x0.shape[1], 1, 1)


@pytest.mark.parametrize("name", ["inc", "rand"])
def test_mask(name):
    _, _, params = golden(f"{name}_q")
    mask, x0 = published_mask(params), given(params["x0"])
    hole = published_hole(params, x0, mask)
    assert_golden(mask(x0, severities(params), hole), f"{name}_q", regrouped=5)
    assert_golden(mask.mask(x0, severities(params), hole)[:, 0], f"{name}_mask", regrouped=5)


def test_mask_cut_to_bytes():
    _, _, params = golden("rand_q_discrete")
    mask, x0 = published_mask(params), given(params["x0"])
    x = mask(x0, severities(params), published_hole(params, x0, mask))
    assert_golden_bytes(cut_to_bytes(x), "rand_q_discrete", regrouped=5)


def test_the_steps_of_the_mask():
    """One mask alone: the quotient of two products, where they are not 0."""
    array, atol, params = golden("inc_kernel")
    x0 = torch.ones(1, 1, params["image_size"], params["image_size"], dtype=torch.float64)
    mask = published_mask(params)
    for row, t in enumerate(params["t"]):
        after, before = (mask.mask(x0, torch.tensor([s / params["T"]]).double(), mask.draw(x0))[0, 0] for s in (t + 1, t))
        torch.testing.assert_close(after, before * array[row], rtol=0, atol=5 * atol)


@pytest.mark.parametrize("name", ["fwd", "rev"])
def test_mask_to_a_colour(name):
    _, _, params = golden(f"{name}_q")
    mask, x0 = published_mask(params, params["reverse"]), given(params["x0"])
    hole = mask.draw(x0)._replace(fill=given(params["x_end"]))
    assert_golden(mask(x0, severities(params), hole), f"{name}_q", regrouped=5)
    kept = mask.mask(x0, severities(params), hole)[:, 0]
    assert_golden(kept, f"{name}_alphas", regrouped=5)
    assert_golden(1 - kept, f"{name}_one_minus_alphas", regrouped=5)


def test_mixing_schedule():
    for name in ("cold_mix/alphas_cumprod", "alphas_cumprod_short", "sqrt_alphas_cumprod", "sqrt_one_minus_alphas_cumprod"):
        steps = golden(name)[2]["T"]
        alpha, sigma = CosineBeta(steps).coefficients((torch.arange(steps).double() + 1) / steps)
        assert_golden(sigma if "one_minus" in name else alpha if "sqrt" in name else alpha.square(), name)


@pytest.mark.parametrize(("name", "operator"), [("mix", ImageMixing), ("noise", GaussianNoise)])
def test_mixing(name, operator):
    _, _, params = golden(f"{name}_q")
    x = operator(CosineBeta(params["T"]))(given(params["x0"]), severities(params), (given(params["x_end"]),))
    assert_golden(x, f"{name}_q")


def published_pixelation(params) -> Pixelate:
    return Pixelate(params["T"], next((mode for mode in ("area", "bilinear") if mode in params["routine"]), "bicubic"))


@pytest.mark.parametrize("name", ["small", "large", "area", "bilinear"])
def test_pixelation(name):
    _, _, params = golden(f"f2_{name}_q")
    assert_golden(published_pixelation(params)(given(params["x0"]), severities(params)), f"f2_{name}_q")


def published_decolouring(params) -> Decolour:
    if params["routine"] == "Linear":
        return Decolour("linear", steps=params["T"])
    return Decolour("geometric", params["ema_factor"], params["T"], params["total_remove"])


@pytest.mark.parametrize("name", ["linear_total", "constant_total", "constant_nototal"])
def test_decolouring(name):
    _, _, params = golden(f"{name}_q")
    assert_golden(published_decolouring(params)(given(params["x0"]), severities(params)), f"{name}_q", regrouped=5)


@pytest.mark.parametrize("name", ["linear_total", "linear_nototal", "constant_total", "constant_nototal"])
def test_the_steps_of_decolouring(name):
    """One step's colour matrix: e I + (1 - e)/3, e the quotient of two saturations."""
    _, _, params = golden(f"{name}_kernel")
    s, operator = severities(params), published_decolouring(params)
    e = (operator.saturation(s) / operator.saturation(s - 1 / params["T"]))[:, None, None]
    assert_golden(e * torch.eye(3) + (1 - e) / 3, f"{name}_kernel", regrouped=5)


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_snow(level):
    name = f"level{level}"
    for bright in (0, 1):
        _, _, params = golden(f"{name}_fixbright{bright}")
        snow = Snow(level, params["T"], keep_brightness=bool(bright))
        base = snow.enlarged(2 * noise(params["base_z"]["shape"], params["base_z"]["s"])[None].double()).float()
        count = len(params["levels"])
        flakes = (base.expand(count, -1, -1, -1), torch.full((count,), float(params["vertical"])))
        place = torch.tensor(params["levels"]).double()
        x = snow(given(params["x0"]).expand(count, -1, -1, -1), place / params["T"], flakes)
        assert_golden(x, f"{name}_fixbright{bright}", regrouped=2)
    assert_golden(snow.layer(flakes, place)[:, 0], f"{name}_layer", regrouped=2)
    if level in (1, 3):
        assert_golden(base[0, 0], f"{name}_base")


def test_snow_of_the_published_seed():
    _, _, params = golden("seed123321_level3_layer")
    random = np.random.RandomState(params["numpy_seed"])
    z = (random.normal(0.55, 0.3, (64, 64)) - 0.55) / 0.3
    assert (random.uniform() > 0.5) == params["vertical"]
    snow, count = Snow(3, params["T"]), len(params["levels"])
    base = snow.enlarged(torch.from_numpy(z)[None]).float().expand(count, -1, -1, -1)
    layer = snow.layer((base, torch.ones(count)), torch.tensor(params["levels"]).double())
    assert_golden(layer[:, 0], "seed123321_level3_layer", regrouped=2)


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_snow_schedules(level):
    from degrade.snow import LEVELS

    _, _, params = golden(f"level{level}_schedules")
    snow, values = Snow(level, params["T"]), LEVELS[level]
    place = torch.arange(params["T"]).double() + 1
    rows = [snow._at(place, r) for r in (values.threshold, values.blur, values.brightness)]
    assert_golden(torch.stack(rows), f"level{level}_schedules")
