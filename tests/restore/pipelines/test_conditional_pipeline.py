"""Generation and restoration under conditions of the user's own, by types that live in the tests."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from degrade import seeded
from models import Condition
from restore import closed_form, train
from tests.captions import Captioned, TextConfig
from tests.shades import ShadedConfig, Shades
from tests.tiny import tiny

TOKENS = Condition(tokens=torch.linspace(-2, 2, 24).reshape(3, 2, 4), mask=torch.tensor([[True, True], [True, False]] * 2)[:3])
CASES = {
    "tokens": ({"network": TextConfig(), "data": Captioned()}, TOKENS),
    "label": ({"network": ShadedConfig(), "data": Shades()}, Condition(label=torch.tensor([0, 1, 0]))),
    "image": (
        {"network": ShadedConfig("image"), "data": Shades("image")},
        Condition(image=torch.linspace(-1, 1, 3 * 64).reshape(3, 1, 8, 8)),
    ),
}


@pytest.fixture(params=CASES)
def conditional(request, photo, tmp_path):
    """A run, and a condition of three images."""
    changes, condition = CASES[request.param]
    return train(replace(tiny(photo), **changes), tmp_path / "run").using(clip=False), condition


def entry(condition: Condition, i: int) -> Condition:
    return condition.map(lambda part: part[i : i + 1])


def test_each_image_has_its_own(conditional):
    """Whatever else is made with it, in batches of any size (1e-6); a condition of one image serves all."""
    run, condition = conditional
    together = run.generate((8, 8), count=3, seed=5, condition=condition, batch=2)
    one_by_one = [run.generate((8, 8), seed=5 + i, condition=entry(condition, i))[0] for i in range(3)]
    torch.testing.assert_close(together, torch.stack(one_by_one), rtol=0, atol=1e-6)
    assert not torch.allclose(together, run.generate((8, 8), count=3, seed=5, condition=""), atol=1e-3)
    for_all = run.generate((8, 8), count=3, seed=5, condition=entry(condition, 1))
    assert torch.equal(for_all[1], together[1]) and not torch.allclose(for_all[0], together[0], atol=1e-3)


def test_guidance_is_against_the_restorer_without_it(conditional):
    """R(x, t) + w (R(x, t | c) - R(x, t)), within 1e-5; nothing at all is no condition."""
    run, condition = conditional
    x, t = torch.randn(3, 3, 8, 8, generator=seeded(0)), torch.full((3,), 0.7)

    def estimate(asked, guidance=1.0):
        with torch.no_grad():
            return run.using(guidance=guidance).scale((8, 8), 1.0, range(3), asked).restore(x, t)

    conditional, unconditional = estimate(condition), estimate("")
    expected = unconditional + 3 * (conditional - unconditional)
    torch.testing.assert_close(estimate(condition, 3.0), expected, rtol=0, atol=1e-5)
    assert not torch.allclose(expected, conditional, atol=1e-3)
    assert torch.equal(estimate(Condition(), 3.0), unconditional)


def test_restored_and_direct(conditional):
    run, condition = conditional
    measured = torch.rand(3, 3, 8, 8, generator=seeded(1)) - 0.5
    restored = run.restore(measured, 0.4, condition=condition)
    alone = run.restore(measured[2], 0.4, seed=2, condition=entry(condition, 2))
    torch.testing.assert_close(restored[2], alone, rtol=0, atol=1e-6)
    direct = run.direct(measured, 0.4, condition=condition)
    assert not torch.allclose(direct, run.direct(measured, 0.4), atol=1e-3)


def test_a_class_by_its_name_is_the_condition_of_its_label(photo, tmp_path):
    """Of a network of one's own, which has no setting for the number of classes."""
    run = train(replace(tiny(photo), **CASES["label"][0]), tmp_path / "run")
    assert run.classes == ("dark", "bright")
    dark, bright = (run.generate((8, 8), seed=1, condition=Condition(label=torch.tensor([i]))) for i in range(2))
    assert torch.equal(run.generate((8, 8), seed=1, condition="dark"), dark) and not torch.equal(dark, bright)
    assert torch.equal(run.generate((8, 8), seed=1), bright)  # seed 1 is of class 1 mod 2


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (Condition(pooled=torch.ones(1, 4)), "Text accepts tokens, got pooled: leave that out"),
        (entry(TOKENS, 0)._replace(mask=None), "tokens \\(B, L, D\\) come with a mask"),
        (TOKENS.map(lambda part: part[:2]), "the condition is of 2 images, 3 are asked for: give 1 entry, or 3"),
        ("dusk", "there is no class 'dusk'"),
    ],
)
def test_what_does_not_fit_is_refused(condition, message, photo, tmp_path):
    run = train(replace(tiny(photo), **CASES["tokens"][0]), tmp_path / "run")
    with pytest.raises(ValueError, match=message) as error:
        run.generate((8, 8), count=3, condition=condition)
    assert "\n" not in str(error.value)


def test_the_closed_form_takes_none(photo):
    with pytest.raises(ValueError, match="no network to condition: .* takes no condition, leave it out"):
        closed_form(photo, 40).generate(condition=Condition(label=torch.tensor([0])))
