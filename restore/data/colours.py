"""Colour profiles (ICC) of image files: how a picture's colours become those of sRGB."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image
    from PIL.ImageCms import ImageCmsTransform

LARGEST = 2**24
"""Bytes of a profile: those of printing presses have about 3 million."""
ALIKE = 1
"""Levels, of 255, by which the colours of a profile may differ from sRGB's for it to be sRGB: pixels stay as they are."""
TRIED = tuple(range(0, 256, 17))
"""Levels of red, green and blue at which that is tried."""
DESCRIBED = {"RGB ": ("RGB", "RGBA", "RGBa", "RGBX", "P", "PA"), "CMYK": ("CMYK",), "GRAY": ("L", "LA", "La", "I;16", "I")}
"""Modes of the pictures that a profile of a colour space describes."""


def to_srgb(file: Image) -> Callable[[Image], Image] | None:
    """What makes a part of `file`, of 8 bits a channel, sRGB; None where it is, or no profile says what it is.

    A profile that is broken, or of another colour space than the pixels, says nothing.
    """
    space, transform = _profile(file)
    if transform is None:
        return None
    if space == "GRAY":
        curve = [round(255 * value) for value in _curve(transform)]
        return lambda part: _toned(part, curve)
    if space == "CMYK":
        return lambda part: _transformed(part, transform)
    return None if _changes_nothing(transform) else lambda part: _transformed(part, transform)


def grey_tones(file: Image) -> np.ndarray | None:
    """What a profile makes of 256 even steps from black to white, in [0, 1]; None where none is given for greys."""
    space, transform = _profile(file)
    return _curve(transform) if transform is not None and space == "GRAY" else None


def transparent(picture: Image) -> bool:
    """Whether some of a picture's pixels may be seen through."""
    return "A" in picture.mode or "a" in picture.mode or "transparency" in picture.info


def _profile(file: Image) -> tuple[str, ImageCmsTransform | None]:
    """The colour space that the profile of `file` describes, and the transform to sRGB."""
    data = file.info.get("icc_profile")
    if not data or len(data) > LARGEST:
        return "", None
    from PIL import ImageCms

    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
        space = profile.profile.xcolor_space
        mode = {"RGB ": "RGB", "CMYK": "CMYK", "GRAY": "L"}[space]
        if file.mode in DESCRIBED[space]:
            return space, ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, KeyError):
        pass
    return "", None


def _transformed(part: Image, transform: ImageCmsTransform) -> Image:
    """RGB, with the transparency that there was."""
    if not transparent(part):
        return transform.apply(part.convert(transform.input_mode))
    part = part.convert("RGBA")
    seen = transform.apply(part.convert("RGB"))
    seen.putalpha(part.getchannel("A"))
    return seen


def _toned(part: Image, curve: list[int]) -> Image:
    if not transparent(part):
        return part.convert("L").point(curve)
    part = part.convert("LA")
    seen = part.getchannel("L").point(curve)
    seen.putalpha(part.getchannel("A"))
    return seen


def _curve(transform: ImageCmsTransform) -> np.ndarray:
    import numpy as np
    from PIL import Image

    steps = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    return np.asarray(transform.apply(steps), np.float32)[0, :, 1] / 255


def _changes_nothing(transform: ImageCmsTransform) -> bool:
    import numpy as np
    from PIL import Image

    colours = np.stack(np.meshgrid(TRIED, TRIED, TRIED), -1).astype(np.uint8).reshape(len(TRIED), -1, 3)
    made = np.asarray(transform.apply(Image.fromarray(colours)), np.int16)
    return bool((abs(made - colours) <= ALIKE).all())
