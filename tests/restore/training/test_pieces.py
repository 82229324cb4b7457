"""A step is the same, mixing, dropout and condition dropout included, however its images are sharded."""

from __future__ import annotations

import json

import pytest
import torch

from degrade import ImageMixing
from models import UNetConfig
from restore import Batch, Batches, Objective, Training
from restore.storage.checkpoint import open_checkpoint
from restore.training.dropout import Dropout
from restore.training.trainer import Trainer
from tests import forked, pieces
from tests.commands import ROOT
from tests.pieces import CASES, FEW, SHARED, losses, trainer


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """A photograph, and the losses of each case in one piece."""
    from tests.conftest import draw_photo

    photo = draw_photo(tmp_path_factory.mktemp("pieces") / "photo.png")
    return photo, {case: losses(trainer(case, 1), photo) for case in CASES}


@pytest.mark.parametrize(("accumulate", "cases"), [(2, FEW), (4, FEW), (8, CASES)], ids=["2", "4", "8"])
def test_pieces_change_nothing(accumulate, cases, expected):
    """Every operator and a chain in pieces of one image, a few in larger ones, within 1e-5."""
    photo, whole = expected
    for case in cases:
        found = losses(trainer(case, accumulate), photo)
        torch.testing.assert_close(torch.tensor(found), torch.tensor(whole[case]), rtol=0, atol=1e-5)


def test_processes_change_nothing(expected, tmp_path):
    """Two, with weights replicated and sharded, in pieces and without, every operator one image a piece, within 1e-5."""
    photo, whole = expected
    result = forked.start([pieces.__file__, str(photo), str(tmp_path / "losses.json")], ROOT, processes=2).finish()
    assert result.returncode == 0, result.stderr
    for found, (cases, _, _) in zip(json.loads((tmp_path / "losses.json").read_text()), SHARED, strict=True):
        torch.testing.assert_close(torch.tensor(found), torch.tensor([whole[case] for case in cases]), rtol=0, atol=1e-5)


def test_a_run_is_resumed_in_other_pieces(expected, tmp_path):
    photo, _ = expected
    first = trainer(CASES[-1], 1)
    losses(first, photo, 1)
    first.save(tmp_path, {}, {})
    resumed = trainer(CASES[-1], 4)
    resumed.load(open_checkpoint(tmp_path))
    assert abs(losses(resumed, photo, 1)[0] - losses(first, photo, 1)[0]) < 1e-5


def test_partners_are_other_images_of_the_data():
    """Without a second set too, and of the size of the image that they go into."""
    sizes = iter([16, 24])

    def draw(count, generator, shard):
        side = next(sizes)
        return Batch(torch.rand(count, 1, side, side, generator=generator)[shard])

    settings = Training(batch=4, precision="float32")
    network = UNetConfig(1, (8,), (1,), (0.0,), attention=(), groups=4).build()
    made = Trainer(network, ImageMixing(), "x0", Objective(), settings)
    seen = []
    made.objective = lambda restorer, x0, t, latent: seen.append((x0, latent.image)) or torch.zeros(1)
    made.loss(Batches(draw, torch.zeros(1, 1, 16, 16)))
    ((x0, partners),) = seen
    assert partners.shape == x0.shape
    assert torch.cdist(x0.flatten(1), partners.flatten(1)).min() > 1  # neither itself nor itself turned, nor each other's
    assert torch.cdist(x0.flip(-1, -2).flatten(1), partners.flatten(1)).min() > 1


def test_dropout_keeps_its_share_and_the_mean():
    """An image's mask is a function of its own generator and of the layer; kept values are x / (1 - p)."""
    x = torch.ones(4, 2000)
    layer = torch.nn.Dropout(0.3)

    def dropped(first: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        with Dropout([torch.Generator().manual_seed(i) for i in range(first, first + count)]):
            return layer(x[:count]), layer(x[:count])

    one, two = dropped(0, 4)
    assert abs(float((one == 0).float().mean()) - 0.3) < 0.02 and torch.equal(one.unique(), torch.tensor([0, 1 / 0.7]))
    assert not torch.equal(one, two) and not torch.equal(one[0], one[1])
    again, _ = dropped(2, 2)
    assert torch.equal(again, one[2:])
    layer.eval()
    assert torch.equal(dropped(0, 4)[0], x)
