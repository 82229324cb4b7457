from __future__ import annotations

import pytest
import torch
from PIL import Image
from torch import nn

from degrade.random import seeded
from restore import Folder, load_image, save_image
from restore.evaluation.features import frechet_distance, of_classifier, of_network, of_patches, squares


def test_frechet_distance_of_gaussians():
    """Closed form: diagonal covariances give sum (m_a - m_b)^2 + (s_a - s_b)^2; sample error of 40,000 draws below 2%."""
    std, mean = torch.tensor([0.5, 1.0, 2.0]), torch.tensor([0.3, -0.2, 1.0])
    a = torch.randn(40_000, 3, generator=seeded(0))
    b = torch.randn(40_000, 3, generator=seeded(1)) * std + mean
    exact = float(mean.square().sum() + (1 - std).square().sum())
    assert frechet_distance(a, b) == pytest.approx(exact, rel=0.02)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-9)


def test_frechet_distance_of_the_same_and_of_a_turn():
    """Against a matrix square root by SciPy, for covariances that do not commute and for more features than images."""
    import numpy as np
    from scipy.linalg import sqrtm

    a = torch.randn(300, 4, generator=seeded(0)) @ torch.randn(4, 4, generator=seeded(1))
    b = torch.randn(300, 4, generator=seeded(2)) @ torch.randn(4, 4, generator=seeded(3)) + 0.5
    c_a, c_b = (np.cov(x.double().numpy().T) for x in (a, b))
    difference = a.double().mean(0).numpy() - b.double().mean(0).numpy()
    expected = difference @ difference + np.trace(c_a + c_b - 2 * sqrtm(c_a @ c_b).real)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-6)
    few = torch.randn(5, 30, generator=seeded(4))
    assert frechet_distance(few, few) == pytest.approx(0, abs=1e-5)


def test_too_few_images():
    with pytest.raises(ValueError, match="at least two images"):
        frechet_distance(torch.zeros(1, 3), torch.zeros(5, 3))


def test_features_of_a_network():
    """In batches, and grey images as colour images."""
    features = of_network(Means(), "means")
    assert features.name == "means"
    x = torch.tensor([-1.0, 0.0, 1.0])[None, :, None, None].expand(40, -1, 8, 8)
    assert features.extract(x)[39].tolist() == [-1.0, 0.0, 1.0]
    assert features.extract(x[:, :1]).tolist() == [[-1.0] * 3] * 40


class Means(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3))


@pytest.fixture
def stripes(tmp_path):
    """train/ and test/ of upright and lying stripes in two folders, 12 images each."""
    for split in ("train", "test"):
        for i in range(24):
            x = torch.sin(torch.arange(16) * (0.8 + 0.05 * i)).expand(1, 16, 16)
            save_image(x if i % 2 else x.mT, tmp_path / split / ("upright" if i % 2 else "lying") / f"{i}.png")
    return tmp_path


def test_classifier_by_folder(stripes):
    source = Folder(16, channels=1)
    features = of_classifier(source, stripes / "train", stripes / "test", steps=40)
    assert "classifier of 2 classes" in features.name and "100.0%" in features.name
    x = torch.stack(list(squares(source, stripes / "test", 24)))
    assert features.extract(x).shape == (24, 64)
    again = of_classifier(source, stripes / "train", stripes / "test", steps=40)
    assert torch.equal(features.extract(x), again.extract(x))


def test_classifier_by_turn(photo):
    source = Folder(16)
    features = of_classifier(source, photo.parent, photo.parent, steps=3)
    assert "classifier of 4 rotations" in features.name
    assert features.extract(torch.zeros(3, 3, 16, 16)).shape == (3, 64)


def test_patches_see_a_jpeg(photo, tmp_path):
    """Much more than they see a change of brightness, which has no gradient, and nothing of a set itself."""
    clean = load_image(photo)[None]
    save_image(clean[0], tmp_path / "photo.png")
    with Image.open(tmp_path / "photo.png") as picture:
        picture.save(tmp_path / "photo.jpg", quality=10)
    features = of_patches()
    reference = features.extract(clean)
    assert reference.shape == ((clean.shape[2] - 1) // 8 * ((clean.shape[3] - 1) // 8), 2 * 3 * 64)
    seen = frechet_distance(features.extract(load_image(tmp_path / "photo.jpg")[None]), reference)
    assert seen > 0.02 * float(reference.var(0).sum())
    for same in (clean, clean + 0.1):
        assert frechet_distance(features.extract(same), reference) < 1e-3 * seen


def test_squares(stripes, photo):
    source = Folder(16, channels=1)
    few = list(squares(source, stripes / "test", 5))
    assert len(few) == 5 and all(x.shape == (1, 16, 16) for x in few)
    many = torch.stack(list(squares(Folder(16, reduce=32), photo.parent, 40)))
    assert many.shape == (40, 3, 16, 16) and not torch.equal(many[0], many[1])
