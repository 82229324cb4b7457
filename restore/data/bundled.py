"""Sets of real images that ship in Python packages, as folders of PNGs to train on and to test with.

| name | what | comes with |
| --- | --- | --- |
| digits | 1,797 handwritten digits, 8 x 8 enlarged to 16 x 16, grey, a folder each; every fifth for testing | scikit-learn |
| photographs | ten colour photographs, shorter side 256; two for testing | scikit-image, scikit-learn, matplotlib |
| jpeg | the same as JPEG of quality 10, to be paired with them | these |
| halftone | the same with each colour on or off in a pixel (Floyd and Steinberg's dither), likewise | these |
| captioned | 6000 pictures of one or two tinted digits, with captions (restore/data/captioned.py) | scikit-learn |
| instructed | 2500 pairs of them, before and after an instruction (restore/data/instructed.py) | scikit-learn |

The photographs of scikit-image and matplotlib are in the public domain or CC0; of scikit-learn's, "china" is by danielbuechele
and "flower" by dulthydan, both CC BY.

Recipes take a name in place of a folder: `python recipes/deblurring.py train digits`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from degrade.files import beside, discard, sweep

if TYPE_CHECKING:
    from torch import Tensor

HOME = Path("runs") / "data"
INSTALL = 'python -m pip install -c constraints.txt -e ".[demo]"'


@dataclass(frozen=True)
class Named:
    """A set by name: what a recipe must know of it before it is written."""

    images: Callable[[], Iterator[tuple[str, Tensor, *tuple[str, ...]]]]
    """Names below the set's folder, such as "train/3/0042", with images (C, H, W), and their captions."""
    size: int
    """Side to train at, pixels."""
    reduce: int = 0
    """`Folder.reduce`."""
    channels: int = 3
    flip: bool = True
    classes: bool = False
    """Whether its images lie in a folder for each class."""
    captions: bool = False
    """Whether its images have captions."""


def scans() -> tuple[Tensor, Tensor]:
    """scikit-learn's handwritten digits (1797, 8, 8) in [0, 1], and which they are (1797,)."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise ValueError(f"the digits come with scikit-learn, which is not installed: {INSTALL}") from None
    import torch

    data = load_digits()
    return torch.from_numpy(data.images).float() / 16, torch.from_numpy(data.target)


def _digits() -> Iterator[tuple[str, Tensor]]:
    import torch

    images, labels = scans()
    large = torch.nn.functional.interpolate(2 * images[:, None] - 1, scale_factor=2, mode="bicubic", align_corners=False)
    for i, (image, label) in enumerate(zip(large, labels.tolist(), strict=True)):
        yield f"{'test' if i % 5 == 0 else 'train'}/{label}/{i:04d}", image


def _captioned() -> Iterator[tuple[str, Tensor, str]]:
    from restore.data.captioned import captioned_digits

    for name, (image, caption) in captioned_digits(*scans()):
        yield name, image, caption


def _instructed() -> Iterator[tuple[str, Tensor, *tuple[str, ...]]]:
    from restore.data.instructed import instructed_pairs

    digits, labels = scans()
    for name, pair in instructed_pairs(digits, labels):
        split, _, number = name.rpartition("/")
        yield f"{split}/before/{number}", pair.before.image(digits)
        yield f"{split}/after/{number}", pair.after.image(digits), pair.instruction


PHOTOGRAPHS = {
    "train": (
        ("skimage", "data/astronaut.png"),
        ("skimage", "data/hubble_deep_field.jpg"),
        ("skimage", "data/ihc.png"),
        ("skimage", "data/motorcycle_left.png"),
        ("skimage", "data/rocket.jpg"),
        ("sklearn", "datasets/images/china.jpg"),
        ("sklearn", "datasets/images/flower.jpg"),
        ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
    ),
    "test": (("skimage", "data/chelsea.png"), ("skimage", "data/coffee.png")),
}
"""Packages, and files in them: all in colour, for a hole that is filled grey is not filled."""


def _photographs() -> Iterator[tuple[str, Tensor]]:
    from restore.data.sources import Folder

    for split, files in PHOTOGRAPHS.items():
        for package, file in files:
            yield f"{split}/{Path(file).stem}", Folder(256).read(_shipped(package, file))


def _jpeg() -> Iterator[tuple[str, Tensor]]:
    """Through Pillow, as a user's files are."""
    from tempfile import TemporaryDirectory

    from PIL import Image

    from restore.data.images import load_image, to_bytes

    with TemporaryDirectory() as home:
        file = Path(home) / "picture.jpg"
        for name, image in _photographs():
            Image.fromarray(to_bytes(image).permute(1, 2, 0).numpy()).save(file, quality=10)
            yield name, load_image(file)


def _halftone() -> Iterator[tuple[str, Tensor]]:
    """By Pillow's dither of each channel, as inks are printed."""
    import numpy as np
    import torch
    from PIL import Image

    from restore.data.images import to_bytes

    for name, image in _photographs():
        inks = [Image.fromarray(channel.numpy()).convert("1") for channel in to_bytes(image)]
        yield name, 2 * torch.from_numpy(np.stack([np.array(ink) for ink in inks])).float() - 1


def bundled_photograph() -> Path:
    """The Hubble eXtreme Deep Field, by NASA, in the public domain, that comes with scikit-image."""
    return _shipped("skimage", "data/hubble_deep_field.jpg")


def example() -> Path | None:
    """A cup of coffee, by Rachel Michetti, in the public domain, that comes with scikit-image; None where that is missing."""
    try:
        path = _shipped("skimage", "data/coffee.png")
    except ValueError:
        return None
    return path if path.exists() else None


def _shipped(package: str, file: str) -> Path:
    """A file of an installed package, which is not imported."""
    from importlib.util import find_spec

    spec = find_spec(package)
    if spec is None or spec.origin is None:
        name = {"skimage": "scikit-image", "sklearn": "scikit-learn"}.get(package, package)
        raise ValueError(f"the photographs come with {name}, which is not installed: {INSTALL}")
    return Path(spec.origin).parent / file


SETS = {
    "digits": Named(_digits, size=16, channels=1, flip=False, classes=True),
    "photographs": Named(_photographs, size=64, reduce=256),
    "captioned": Named(_captioned, size=32, flip=False, captions=True),
    "instructed": Named(_instructed, size=32, flip=False, captions=True),
    "jpeg": Named(_jpeg, size=64, reduce=256),
    "halftone": Named(_halftone, size=64, reduce=256),
}


def is_set(path: str | Path) -> bool:
    """Whether `path` is the name of a set, and of no file or folder."""
    return str(path) in SETS and not Path(path).exists()


def located(path: str | Path, split: str = "train") -> Path:
    """`path`, made absolute; or, if it is the name of a set, the folder of its `split`, written at its first use."""
    return written(str(path)) / split if is_set(path) else Path(path).resolve()


def test_images(images: Path) -> Path | None:
    """The folder of test images beside the training images of a set, if there is one."""
    test = images.parent / "test"
    return test if images.name == "train" and test.is_dir() else None


def written(name: str) -> Path:
    """The folder of the set, written at its first use. It appears whole or not at all; of two that write it at once, the
    first's stays."""
    from tqdm import tqdm

    from restore.data.images import save_image

    folder = (HOME / name).resolve()
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    sweep(folder.parent)
    part = beside(folder)
    for path, image, *caption in tqdm(SETS[name].images(), desc=f"writing {name}", unit="image"):
        save_image(image, part / f"{path}.png")
        for line in caption:
            (part / f"{path}.txt").write_text(line + "\n", encoding="utf-8")
    try:
        part.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
        discard(part)
    return folder
