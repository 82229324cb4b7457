"""Pictures that come from the browser: uploads, checked and kept; what was painted on them, as the files that commands read."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recipes.command.outputs import plain_stem

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

MOST_BYTES = 64 * 2**20
"""Of an upload."""
SHOWN = 768
"""The longer side of a picture that is painted on, pixels, at most; and half of it at least."""


def keep(upload: Path, home: Path) -> Path:
    """`upload`, checked, under a name of its content in `home`, where commands find it again. ImageError in one line for
    what is no picture, broken, or of more pixels than is safe; nothing is kept of it."""
    from restore.data.decoding import ImageError, image_size

    if upload.stat().st_size > MOST_BYTES:
        raise ImageError(f"{upload.name} takes more than {MOST_BYTES // 2**20} MiB: reduce it first.")
    image_size(upload)
    with open(upload, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    path = home / f"{plain_stem(upload)[:40]}-{digest[:8]}{upload.suffix.lower()}"
    if not path.exists():
        home.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(upload, path)
    return path


def shown(path: Path) -> NDArray[np.uint8]:
    """The picture (H, W, 3) at a size to paint on."""
    from restore.data.images import load_image

    x = load_image(path, SHOWN)
    repeat = max(1, SHOWN // (2 * max(x.shape[1:])))
    return _pixels(x.repeat_interleave(repeat, 1).repeat_interleave(repeat, 2))


def painted(editor: dict[str, Any] | None) -> NDArray[np.uint8]:
    """What was painted in an image editor, all layers together: (H, W, 4), transparent where nothing was. ValueError where
    that is everywhere."""
    from PIL import Image

    layers = [np.asarray(layer) for layer in (editor or {}).get("layers", []) if layer is not None]
    if not any(bool(layer[..., 3].any()) for layer in layers):
        raise ValueError("nothing is painted: choose the brush, and paint on the picture.")
    whole = Image.fromarray(layers[0])
    for layer in layers[1:]:
        whole.alpha_composite(Image.fromarray(layer))
    return np.asarray(whole)


def mask_file(editor: dict[str, Any] | None, picture: Path, home: Path) -> Path:
    """A mask of the size of `picture`, white where something was painted on it as it is shown."""
    from PIL import Image

    from restore.data.decoding import image_size

    height, width = image_size(picture)
    mask = Image.fromarray(np.where(painted(editor)[..., 3] > 0, 255, 0).astype(np.uint8))
    return _written(mask.resize((width, height), Image.Resampling.NEAREST), home, "mask")


def strokes_file(editor: dict[str, Any] | None, picture: Path, home: Path) -> Path:
    """`picture`, at the size that it is shown at, but for pixels that are repeated, with what was painted on it."""
    from PIL import Image

    from restore.data.images import load_image

    under = Image.fromarray(_pixels(load_image(picture, SHOWN))).convert("RGBA")
    under.alpha_composite(Image.fromarray(painted(editor)).resize(under.size, Image.Resampling.BOX))
    return _written(under.convert("RGB"), home, "strokes")


def _pixels(x: Tensor) -> NDArray[np.uint8]:
    from restore.data.images import to_bytes

    return to_bytes(x).permute(1, 2, 0).numpy()


def _written(image: Any, home: Path, name: str) -> Path:
    digest = hashlib.sha256(image.tobytes() + str(image.size).encode()).hexdigest()
    path = home / f"{name}-{digest[:8]}.png"
    home.mkdir(parents=True, exist_ok=True)
    image.save(path)
    return path
