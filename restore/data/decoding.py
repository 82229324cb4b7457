"""Image files, decoded within bounds of memory and reduced while they are: (C, H, W) float32 in [-1, 1]."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from degrade.lazy import torch
from restore.data.colours import grey_tones, to_srgb, transparent
from restore.machine.memory import readable

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile
    from torch import Tensor

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "DIB", "TIFF", "GIF", "PPM", "JPEG2000", "AVIF")
"""What is decoded, whatever a file's name: none that runs another program, as Pillow does for EPS."""
HEIF = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
"""How files begin, after "ftyp", that pillow-heif decodes; the last two may be AVIF."""
MOST_PIXELS = 100_000_000
""""Decompression bombs" claim more: a small file can grow a thousandfold."""
MOST_BYTES = 600 * 2**20
"""That an image takes while it is read."""
TAKEN = {"PNG": 4, "BMP": 4, "DIB": 4, "PPM": 4, "JPEG": 4, "MPO": 4, "GIF": 8, "TIFF": 12, "WEBP": 16, "JPEG2000": 20} | {
    "HEIF": 12,
    "AVIF": 18,
}
"""Bytes a pixel that Pillow takes at the most for a format, measured."""
PROGRESSIVE = 12
"""The same for progressive JPEGs, whose coefficients are all held."""
DEEP = 22
"""The same for HEIC of more than 8 bits, unless its colours are stored at half the size."""
RUN_LENGTHS = 60
"""The same for run-length encoded BMPs, which Pillow decodes in Python: at most 10 million pixels, in seconds."""
BAND = 2**20
"""Pixels that are floating-point numbers at a time."""
TURNS = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE"} | {
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
"""What makes an image of an EXIF orientation upright."""

Resize = Callable[[int, int], tuple[int, int]]
"""(H, W) of an image to what they are to become."""


class ImageError(ValueError):
    """A file that is missing, or is not an image that can be used; the message says which and why."""


def image_size(path: Path) -> tuple[int, int]:
    """(H, W) of an image file, upright."""
    return _size(_loaded(path, lambda height, width: (1, 1), 1))


def translucent(path: Path) -> bool:
    """Whether an image file can be seen through, somewhere."""
    file = _loaded(path, lambda height, width: (1, 1), 1)
    return transparent(file) and file.convert("RGBA").getchannel("A").histogram()[255] < file.width * file.height


def decode(path: Path, resize: Resize, channels: int, behind: str = "white") -> Tensor:
    """The image file (channels, H, W) at the size that `resize` says: bicubic, antialiased where it shrinks; `behind` is seen
    where it is transparent.

    Bitwise what `interpolate` makes of the whole image, which also reduces its rows before its columns.
    """
    file = _loaded(path, resize, channels)
    shape = _size(file)
    size = resize(*shape)
    smaller = size[0] < shape[0] or size[1] < shape[1]
    width = size[1] if smaller else shape[1]
    white = _white(file)
    wide = _wide(file)
    tones, colours = (grey_tones(file), None) if wide else (None, to_srgb(file))
    x = torch.empty(channels, shape[0], width)
    top = 0
    for band in _bands(file, max(1, BAND // shape[1])):
        seen = band if wide or not colours else colours(band)
        part = _widened(seen, channels, white, tones) if wide else _to_tensor(seen, channels, behind)
        if not bool(part.isfinite().all()):
            raise ImageError(f"{path} holds pixels that are NaN or infinite: expected finite numbers.")
        bottom = top + part.shape[1]
        x[:, top:bottom] = _resized(part, (part.shape[1], width), True) if smaller else part
        top = bottom
    return x if size == shape else _resized(x, size, smaller).clamp_(-1, 1)


def _loaded(path: Path, resize: Resize, channels: int) -> ImageFile:
    """The decoded file; what is wrong with it ends in an ImageError of one line, before much memory is taken."""
    from PIL import Image, UnidentifiedImageError

    if path.is_dir():
        raise ImageError(f"{path} is a folder: expected an image file.")
    if not path.exists():
        raise ImageError(f"{path} does not exist: expected an image file.")
    if not path.is_file():
        raise ImageError(f"{path} is not an ordinary file: expected an image file.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what matters of a file ends in an error below
            with Image.open(path, formats=(*FORMATS, *_with_heif(path))) as file:
                if file.width * file.height > MOST_PIXELS:
                    raise Image.DecompressionBombError
                _check(path, file, resize(file.height, file.width), channels)
                file.load()
                return file
    except (ImageError, MemoryError):
        raise
    except Image.DecompressionBombError:
        raise ImageError(f"{path} claims more pixels than is safe to decode ({MOST_PIXELS}): reduce it first.") from None
    except UnidentifiedImageError:
        raise ImageError(f"{path} is not an image that Pillow can read (PNG, JPEG, WebP, TIFF, AVIF, ...).") from None
    except Exception as error:  # on broken files decoders raise what they like: struct.error, KeyError, ZeroDivisionError, ...
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"{path} cannot be read, it may be broken or cut off: {reason[:200]}.") from None


def _with_heif(path: Path) -> tuple[str, ...]:
    """The name of pillow-heif's format, registered, where the file begins like one. ImageError where that is not installed."""
    with open(path, "rb") as file:
        start = file.read(12)
    if start[4:8] != b"ftyp" or start[8:] not in HEIF:
        return ()
    if find_spec("pillow_heif") is not None:
        from pillow_heif import register_heif_opener

        register_heif_opener()
        return ("HEIF",)
    if start[8:] in (b"mif1", b"msf1"):
        return ()
    raise ImageError(f'{path}: HEIC files need pillow-heif: python -m pip install -c constraints.txt -e ".[heif]"')


def _check(path: Path, file: ImageFile, size: tuple[int, int], channels: int) -> None:
    """Refuses an image that takes too much memory to decode, or at its new `size`."""
    each = PROGRESSIVE if "progressive" in file.info else TAKEN[file.format or ""]
    if file.info.get("bit_depth", 8) > 8 and file.info.get("chroma") != 420:
        each = DEEP
    if any(tile[0] == "bmp_rle" for tile in file.tile):
        each = RUN_LENGTHS
    tags = getattr(file, "tag_v2", {})
    pixels = max(file.width * file.height, int(tags.get(322, 0)) * int(tags.get(323, 0)))  # TIFF's tiles may be larger
    needed = each * pixels + 4 * channels * size[0] * size[1]
    if needed > MOST_BYTES:
        raise ImageError(
            f"{path}, {file.height} x {file.width} pixels, takes {readable(needed)} to read as {size[0]} x {size[1]}, more "
            f"than {readable(MOST_BYTES)}: reduce it first."
        )


def _size(file: ImageFile) -> tuple[int, int]:
    """(H, W) of the upright image."""
    return (file.width, file.height) if _orientation(file) >= 5 else (file.height, file.width)


def _orientation(file: ImageFile) -> int:
    """EXIF's, 1 to 8; 1 is upright."""
    try:
        found = file.getexif().get(274, 1)
    except Exception:  # broken EXIF data: decoders raise what they like
        return 1
    return found if found in TURNS else 1


def _bands(file: ImageFile, rows: int) -> Iterator[Image]:
    """The upright image from top to bottom, `rows` at a time: of an image that lies on its side these are columns."""
    from PIL import Image

    orientation = _orientation(file)
    sideways, backwards = orientation >= 5, orientation in (3, 4, 7, 8)
    length = file.width if sideways else file.height
    for start in range(0, length, rows):
        first, last = start, min(start + rows, length)
        if backwards:
            first, last = length - last, length - first
        band = file.crop((first, 0, last, file.height) if sideways else (0, first, file.width, last))
        yield band.transpose(Image.Transpose[TURNS[orientation]]) if orientation in TURNS else band


def _widened(picture: Image, channels: int, white: float, tones: np.ndarray | None) -> Tensor:
    """A band (channels, H, W) in [-1, 1] of floating-point numbers, or of integers of 16 bits and more."""
    import numpy as np

    values = np.asarray(picture, dtype=np.float32) / np.float32(white)
    if tones is not None:
        values = np.interp(values, np.linspace(0, 1, len(tones)), tones).astype(np.float32)
    return torch.from_numpy(values)[None].expand(channels, -1, -1) * 2 - 1


def _to_tensor(picture: Image, channels: int, behind: str) -> Tensor:
    """A band (channels, H, W) in [-1, 1]."""
    import numpy as np

    if transparent(picture):
        from PIL import Image

        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, behind), picture)
    values = np.array(picture.convert("L" if channels == 1 else "RGB"))
    x = torch.from_numpy(values.reshape(*values.shape[:2], -1)).permute(2, 0, 1).contiguous()
    return x.float().div_(127.5).sub_(1)


def _wide(picture: Image) -> bool:
    """Whether its pixels are floating-point numbers, or integers of 16 bits and more."""
    return picture.mode.startswith("I") or picture.mode == "F"


def _white(file: ImageFile) -> float:
    """What white is: 65535 for 16-bit files (also those that Pillow widens to 32), 1 or 255 for floats, by their maximum."""
    import numpy as np

    if not _wide(file):
        return 255.0
    rows = max(1, BAND // file.width)
    top = max(float(np.asarray(band, dtype=np.float32).max(initial=0.0)) for band in _bands(file, rows))
    if file.mode == "F":
        return next((white for white in (1.0, 255.0, 65535.0) if top <= white), top)
    return 65535.0 if top <= 65535 else 2.0**31 - 1


def _resized(x: Tensor, size: tuple[int, int], smaller: bool) -> Tensor:
    return torch.nn.functional.interpolate(x[None], size, mode="bicubic", antialias=smaller, align_corners=False)[0]
