"""Image files to tensors and back: any common file to (C, H, W) float32 in [-1, 1], and that to PNG, JPEG, WebP or TIFF."""

from __future__ import annotations

import json
import math
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from degrade.files import atomic_write
from degrade.lazy import torch
from restore.data.decoding import ImageError, Resize, decode

if TYPE_CHECKING:
    from torch import Tensor

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".heic", ".heif", ".hif", ".avif")
WRITTEN = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF"}
"""What is written, by the ending of a file's name."""
ANIMATED = {".gif": "GIF", ".webp": "WEBP"}
BEST: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"lossless": True},
    "TIFF": {"compression": "tiff_deflate"},
}
"""How: without loss, or with as little as the format allows for at a reasonable size."""


def load_image(path: str | Path, size: int | Resize | None = None, channels: int = 3, behind: str = "white") -> Tensor:
    """The image file as (channels, H, W) float32 in [-1, 1].

    EXIF orientation is applied, transparency composited over the colour `behind`, 16-bit and floating-point images scaled by
    their range, palettes and CMYK converted, colours made sRGB where a profile (ICC) says what they are; of an animation the
    first frame counts. With `size`, the longer side is reduced to `size` pixels (bicubic, antialiased) if it is larger; a
    function of (H, W) says what they become. Raises ImageError
    with one clear line for a bad file, and for one that takes more memory than is safe.
    """
    if callable(size):
        return decode(Path(path), size, channels, behind)
    return decode(Path(path), lambda height, width: _within(size, height, width), channels, behind)


def _within(size: int | None, height: int, width: int) -> tuple[int, int]:
    """(H, W) with the longer side reduced to `size`."""
    scale = 1.0 if size is None else min(1.0, size / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def image_files(folder: str | Path) -> list[Path]:
    """All image files below `folder`, sorted by path. Raises ImageError if there are none."""
    folder = Path(folder)
    if not folder.is_dir():
        raise ImageError(f"{folder} is not a folder: expected one with image files.")
    files, left = [], [str(folder)]
    while left:  # no recursion: any depth; folders behind links are not followed, so there are no circles
        with os.scandir(left.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    left.append(entry.path)
                elif entry.name.lower().endswith(SUFFIXES) and not os.path.isdir(entry.path):
                    files.append(Path(entry.path))
    files.sort()
    if not files:
        raise ImageError(f"{folder} holds no image files ({', '.join(SUFFIXES)}).")
    return files


def to_bytes(x: Tensor) -> Tensor:
    """[-1, 1] to uint8 [0, 255], rounded and clipped."""
    return x.detach().float().cpu().add(1).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)


def format_of(path: str | Path) -> str:
    """The format that the ending of `path` names. Raises ImageError for one that `save_image` does not write."""
    kind = WRITTEN.get(Path(path).suffix.lower())
    if kind is None:
        raise ImageError(f"{path}: images are written as .png, .jpg, .webp or .tif; choose one of these endings.")
    return kind


def animation_format(path: str | Path) -> str:
    """The format that the ending of `path` names. Raises ImageError for one that `save_animation` does not write."""
    kind = ANIMATED.get(Path(path).suffix.lower())
    if kind is None:
        raise ImageError(f"{path}: animations are written as .gif or .webp; choose one of these endings.")
    return kind


def save_image(x: Tensor, path: str | Path, text: Mapping[str, str] | None = None) -> Path:
    """Writes x (C, H, W) in [-1, 1], C 1 or 3, in the format that the ending of `path` names: .png, .jpg, .webp or .tif.

    `text` goes into its metadata: of a PNG entry by entry, else as the JSON of the EXIF image description. The file appears
    whole or not at all.
    """
    from PIL import Image
    from PIL.ExifTags import Base
    from PIL.PngImagePlugin import PngInfo

    if x.ndim != 3 or x.shape[0] not in (1, 3):
        raise ValueError(f"save_image takes (1 or 3, H, W), got {tuple(x.shape)}.")
    path = Path(path)
    kind = format_of(path)
    array = to_bytes(x).permute(1, 2, 0).numpy()
    info, exif = PngInfo(), Image.Exif()
    for key, value in (text or {}).items():
        info.add_text(key, value)
    if text:
        exif[Base.ImageDescription] = json.dumps(dict(text))
    note: dict[str, Any] = {"pnginfo": info} if kind == "PNG" else {"exif": exif}
    with atomic_write(path) as part:
        Image.fromarray(array.squeeze(-1) if x.shape[0] == 1 else array).save(part, kind, **note, **BEST.get(kind, {}))
    return path


def image_text(path: str | Path) -> dict[str, str]:
    """The `text` that `save_image`, `save_animation` or `write_bands` left in a file's metadata; empty where none is found."""
    from PIL import Image
    from PIL.ExifTags import Base

    if not os.path.isfile(path):  # a pipe would be waited for
        return {}
    try:
        with warnings.catch_warnings(), open(path, "rb") as file:
            warnings.simplefilter("ignore")
            Image.init()
            start = file.read(16)
            file.seek(0)
            kind = next((kind for kind in {*WRITTEN.values(), *ANIMATED.values()} if _begins(kind, start)), "")
            # not by Image.open, which refuses what has many pixels: these are not decoded here
            image = Image.OPEN[kind][0](file, "")
            if kind == "PNG":
                return {str(key): value for key, value in image.info.items() if isinstance(value, str)}
            found = json.loads(image.info["comment"] if kind == "GIF" else image.getexif()[Base.ImageDescription])
    except Exception:  # no such file; and on broken ones decoders raise what they like
        return {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def _begins(kind: str, start: bytes) -> bool:
    """Whether a file of that kind begins so."""
    from PIL import Image

    accept = Image.OPEN[kind][1]
    return accept is not None and accept(start) is True


def save_animation(frames: list[Tensor], path: str | Path, seconds: float = 0.1, text: Mapping[str, str] | None = None) -> Path:
    """Writes frames (C, H, W) in [-1, 1] as an endless .gif or .webp, `seconds` each; `text` as JSON in the comment of a GIF,
    or the EXIF image description. The file appears whole or not at all."""
    from PIL import Image
    from PIL.ExifTags import Base

    path = Path(path)
    kind = animation_format(path)
    first, *rest = (Image.fromarray(to_bytes(x.expand(3, -1, -1)).permute(1, 2, 0).numpy()) for x in frames)
    note: dict[str, Any] = {}
    if text:
        exif, described = Image.Exif(), json.dumps(dict(text))
        exif[Base.ImageDescription] = described
        note = {"comment": described.encode()} if kind == "GIF" else {"exif": exif}
    with atomic_write(path) as part:
        first.save(part, format=kind, save_all=True, append_images=rest, duration=round(1000 * seconds), loop=0, **note)
    return path


def grid(images: list[Tensor], columns: int | None = None, gap: int = 4, at_least: int = 0) -> Tensor:
    """Images (C, H_i, W_i) side by side on white, in rows of `columns` (about square by default): (C, H, W).

    If the largest is smaller than `at_least` pixels, the pixels of all are repeated until it is not.
    """
    columns = columns or math.ceil(len(images) ** 0.5)
    height, width = (max(image.shape[d] for image in images) for d in (1, 2))
    repeat = max(1, math.ceil(at_least / max(height, width)))
    images = [x.repeat_interleave(repeat, 1).repeat_interleave(repeat, 2) for x in images]
    height, width = repeat * height, repeat * width
    rows = math.ceil(len(images) / columns)
    channels = images[0].shape[0]
    canvas = torch.ones(channels, rows * (height + gap) + gap, min(columns, len(images)) * (width + gap) + gap)
    for i, image in enumerate(images):
        top, left = gap + i // columns * (height + gap), gap + i % columns * (width + gap)
        canvas[:, top : top + image.shape[1], left : left + image.shape[2]] = image.detach().float().cpu()
    return canvas
