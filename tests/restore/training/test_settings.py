from __future__ import annotations

import pytest

from restore import Training


def test_rate():
    settings = Training(steps=12, warmup=2, rate=1.0, decay="cosine")
    rates = [settings.rate_at(step) for step in range(13)]
    assert rates[:3] == [0.5, 1.0, 1.0] and abs(rates[7] - 0.5) < 1e-12 and rates[12] < 1e-12
    assert Training(rate=0.1).rate_at(10**6) == 0.1


def test_a_stretched_plan_keeps_the_shares():
    settings = Training(steps=3600, warmup=100, ema=0.995, save_every=500, preview_every=600).stretched(1200)
    assert (settings.steps, settings.warmup, settings.save_every, settings.preview_every) == (1200, 33, 167, 200)
    assert abs(settings.ema - 0.985) < 1e-9
    assert Training(steps=10, preview_every=10**8).stretched(20).preview_every == 10**8  # none
    assert Training(steps=10_000, ema=0.999).stretched(1).ema == 0.0


@pytest.mark.parametrize(
    "settings", [{"steps": 0}, {"rate": 0.0}, {"ema": 1.0}, {"clip": -1.0}, {"seed": -1}, {"seed": 99999999999999999999999}]
)
def test_bad_settings(settings):
    with pytest.raises(ValueError, match="at least 1|rate is|ema is|seed of Training is 0 to"):
        Training(**settings)
