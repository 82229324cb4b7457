"""DreamBooth: the loss that it lowers, what its batches hold, and that a rare word means a subject from then on."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from degrade import seeded
from models import Condition
from recipes import dreambooth as recipe
from restore import load_image, open_run, pretrained, resume, save_image
from restore.storage.reading import CheckpointError
from restore.training.trainer import Trainer
from restore.tuning.dreambooth import CLASS, DreamBoothSettings, both, captions, dreambooth, suited
from restore.tuning.trainable import trainable
from restore.tuning.tuned import short_training
from tests.published_models import made, saved

SHORT = DreamBoothSettings(steps=60, rate=5e-3, batch=8, class_images=8)


@pytest.fixture(scope="module")
def subject():
    """Three reds, which the run has never seen."""
    return [torch.tensor([level, -0.8, -0.8])[:, None, None].expand(3, 16, 16).contiguous() for level in (0.7, 0.8, 0.9)]


@pytest.fixture(scope="module")
def learned(words, subject, tmp_path_factory):
    return dreambooth(words, subject, "bright", tmp_path_factory.mktemp("booth") / "run", SHORT)


def redness(image: torch.Tensor) -> float:
    return float((image[..., 0, :, :] - image[..., 1:, :, :].mean(-3)).mean())


def test_batches_hold_both():
    """Weighted by what the batch says, the mean loss is that of the subject + lambda times that of the class."""
    own, others = torch.zeros(3, 1, 2, 2), torch.ones(5, 1, 2, 2)
    told = [
        Condition(torch.tensor([kind]), tokens=torch.ones(1, length, 4), mask=torch.ones(1, length).bool())
        for kind, length in ((0, 3), (1, 2))
    ]
    for count, prior in ((8, 1.0), (7, 0.3), (2, 1.0)):
        batch = both(own, others, told, prior).draw(count, seeded(1))
        of_class = batch.x0[:, 0, 0, 0] == 1
        assert torch.equal(batch.condition.label, of_class.long()) and int(of_class.sum()) == count // 2
        assert batch.condition.mask.sum(1).tolist() == [2 if one else 3 for one in of_class]
        assert float(batch.condition.tokens[of_class, 2:].abs().sum()) == 0
        loss = torch.rand(count, generator=seeded(2))
        torch.testing.assert_close((batch.weight * loss).mean(), loss[~of_class].mean() + prior * loss[of_class].mean())
        parts = [both(own, others, told, prior).draw(count, seeded(1), slice(a, b)) for a, b in pairwise((0, 1, count))]
        assert torch.equal(torch.cat([part.weight for part in parts]), batch.weight)
        assert torch.equal(torch.cat([part.x0 for part in parts]), batch.x0)
    alone = both(own, own[:0], told, 0.0).draw(5, seeded(1))
    assert torch.equal(alone.weight, torch.ones(5)) and not bool(alone.condition.label.any())


def test_the_trainer_weights_images(words):
    """Of two images of weight 2 and 0 the loss is that of the first, also in two pieces."""
    told = [words.embedded(caption) for caption in ("a zq", "a")]
    x0 = torch.rand(2, 3, 16, 16, generator=seeded(3))
    batches = both(x0[:1], x0[1:], told, 0.0)

    def trainer(**changes) -> Trainer:
        plan = replace(short_training(words, 1, 1e-3, 2), **changes)
        network, prediction = trainable(words.restorer.network), words.restorer.prediction
        return Trainer(network, words.degradation, prediction, words.objective, plan)

    first = float(trainer().loss(batches, slice(0, 1))) / 2
    for accumulate in (1, 2):
        assert float(trainer(accumulate=accumulate).train_step(batches)[0]) == pytest.approx(first, rel=1e-4)


def test_a_rare_word_means_the_subject(words, learned):
    named, kind = captions("bright")
    assert (named, kind) == ("a zq bright", "a bright")
    before, after = (redness(one.generate(count=4, condition=named, progress=False)) for one in (words, learned))
    assert after > 0.5 > 0.2 > abs(before)
    assert redness(learned.generate(count=4, condition=kind, progress=False)) < 0.6 * after
    assert len(list((learned.folder / CLASS).iterdir())) == SHORT.class_images
    first = load_image(learned.folder / CLASS / "0000.png")
    torch.testing.assert_close(first, words.generate(condition=kind, progress=False)[0], rtol=0, atol=0.01)
    again = open_run(learned.folder, "cpu").using(steps=4)
    assert torch.equal(*(one.generate(condition=named, progress=False) for one in (again, learned)))


def test_looks_on_the_way(words, subject, tmp_path):
    seen = []
    plan = replace(SHORT, steps=4, prior=0.0, batch=1)
    dreambooth(words, subject, "bright", tmp_path / "out", plan, look=lambda run, step: seen.append((step, run.name)), every=2)
    assert seen == [(2, words.name), (4, words.name)] and not (tmp_path / "out" / CLASS).exists()


def test_nothing_stays_of_one_that_is_stopped(words, subject, tmp_path):
    """Whether Ctrl-C comes or an error: the same folder can be named again, and what else lay there is kept."""
    out, plan = tmp_path / "out", replace(SHORT, steps=2, class_images=1)
    for error in (KeyboardInterrupt, RuntimeError("full")):

        def stop(*_, error=error) -> None:
            assert (out / CLASS).exists() and (out / "metrics.jsonl").exists()
            raise error

        with pytest.raises(type(error) if isinstance(error, Exception) else error):
            dreambooth(words, subject, "bright", out, plan, look=stop)
        assert not out.exists()
    (out / "previews").mkdir(parents=True)
    with pytest.raises(RuntimeError, match="full"):
        dreambooth(words, subject, "bright", out, plan, look=stop)
    assert [path.name for path in out.iterdir()] == ["previews"]
    assert dreambooth(words, subject, "bright", out, plan).step == 2


def test_it_is_not_gone_on_with(learned):
    with pytest.raises(CheckpointError, match="was tuned .* tune anew, for more steps"):
        resume(learned.folder, steps=100)


def test_a_published_model(tmp_path):
    published = pretrained(saved(made("sd"), tmp_path / "sd"), "cpu").using(steps=2)
    subject = [torch.rand(3, *published.size[1:], generator=seeded(i)) * 2 - 1 for i in range(3)]
    plan = replace(suited(published), steps=2, class_images=2, rate=1e-3)
    found = dreambooth(published, subject, "dog", tmp_path / "out", plan, token="sks")
    again = open_run(tmp_path / "out", "cpu").using(steps=2)
    x, t, told = torch.randn(1, 4, 16, 16, generator=seeded(9)), torch.tensor([0.4]), published.embedded("a sks dog")
    with torch.no_grad():
        ours, reopened, old = (one.restorer.network(x, t, told) for one in (found, again, published))
    torch.testing.assert_close(ours, reopened)
    assert float((ours - old).abs().max()) > 1e-4


def test_the_command(words, subject, tmp_path, capsys):
    for i, picture in enumerate(subject):
        save_image(picture, tmp_path / f"red/{i}.png")
    plan = ["--training-steps", "2", "--class-images", "2", "--steps", "2", "--device", "cpu", "--out", str(tmp_path / "out")]
    recipe.main([str(words.folder), str(tmp_path / "red"), "--noun", "bright", *plan])
    assert "3 pictures learned" in (said := capsys.readouterr().out) and "'a zq bright'" in said
    assert open_run(tmp_path / "out", "cpu").recipe.training.batch == 16


def test_bad_input(words, subject, tmp_path):
    def of(pictures=subject, noun="bright", **options):
        return dreambooth(words, pictures, noun, tmp_path / "out", SHORT, **options)

    with pytest.raises(ValueError, match="there are none"):
        of([])
    with pytest.raises(ValueError, match="of one size, got"):
        of([subject[0], subject[0][:, :8]])
    with pytest.raises(ValueError, match="makes images of 3 channels, these have 1"):
        of([subject[0][:1]])
    for noun, token in (("", "zq"), ("dog", " "), ("dog", "two words")):
        with pytest.raises(ValueError, match="a subject is a word and a noun"):
            of(noun=noun, token=token)
    with pytest.raises(ValueError, match="'dog' is part of the noun"):
        of(noun="big dog", token="dog")
    with pytest.raises(ValueError, match="at most 256 bytes"):
        of(noun="x" * 10_000)
    with pytest.raises(ValueError, match="was not trained with words"):
        dreambooth(replace(words, words=None), subject, "dog", tmp_path / "out")
    with pytest.raises(ValueError, match="batch is at least 2, or prior 0"):
        DreamBoothSettings(batch=1)
    with pytest.raises(ValueError, match="holds a run already"):
        dreambooth(words, subject, "dog", words.folder)
    assert not (tmp_path / "out").exists()
