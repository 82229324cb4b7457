"""Image files written band by band, for images larger than memory: PNG, and tiled TIFF."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from degrade.files import atomic_write
from restore.data.images import to_bytes

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


def write_bands(path: Path, size: tuple[int, int, int], bands: Iterable[Tensor], text: Mapping[str, str] | None = None) -> Path:
    """Writes `bands` (C, rows, W) in [-1, 1], top to bottom, as one image of `size` (C, H, W), C 1 or 3: a PNG, or a tiled TIFF
    (BigTIFF from 2 GiB on) if `path` ends in .tif or .tiff. `text` goes into its metadata, as `save_image` does it. The file
    appears whole or not at all."""
    write = writer(path)
    with atomic_write(path) as part:
        write(part, size, (to_bytes(band).permute(1, 2, 0).numpy() for band in bands), dict(text or {}))
    return path


def writer(path: Path) -> Callable[[Path, tuple[int, int, int], Iterator[np.ndarray], dict[str, str]], None]:
    """What writes `path`, by its ending. Raises ValueError for another than .png, .tif, .tiff, or without tifffile."""
    kind = path.suffix.lower()
    if kind == ".png":
        return _png
    if kind not in (".tif", ".tiff"):
        raise ValueError(f"{path}: large images are written as .png, .tif or .tiff.")
    if find_spec("tifffile") is None:
        raise ValueError('TIFF files need tifffile: python -m pip install -c constraints.txt -e ".[tiff]"')
    return _tiff


def _png(path: Path, size: tuple[int, int, int], bands: Iterator[np.ndarray], text: dict[str, str]) -> None:
    """PNG (ISO/IEC 15948) of 8 bits, each row as the difference from the one above (filter type 2)."""
    import numpy as np
    from PIL.PngImagePlugin import PngInfo

    channels, height, width = size
    info = PngInfo()
    for key, value in text.items():
        info.add_text(key, value)
    packed = zlib.compressobj(6)

    with open(path, "wb") as file:

        def chunk(kind: bytes, data: bytes) -> None:
            file.write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))

        file.write(b"\x89PNG\r\n\x1a\n")
        chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2 if channels == 3 else 0, 0, 0, 0))
        for kind, data, *_ in info.chunks:
            chunk(kind, data)
        above = np.zeros((1, width * channels), np.uint8)
        for band in bands:
            rows = band.reshape(len(band), -1)
            difference = rows - np.concatenate([above, rows[:-1]])  # modulo 256
            above = rows[-1:]
            data = packed.compress(np.insert(difference, 0, 2, axis=1).tobytes())
            if data:
                chunk(b"IDAT", data)
        chunk(b"IDAT", packed.flush())
        chunk(b"IEND", b"")


def _tiff(path: Path, size: tuple[int, int, int], bands: Iterator[np.ndarray], text: dict[str, str], side: int = 256) -> None:
    """TIFF in tiles of 256 x 256, deflated."""
    import numpy as np
    import tifffile

    channels, height, width = size

    def squares() -> Iterator[np.ndarray]:
        rows = np.empty((0, width, channels), np.uint8)
        for band in bands:
            rows = np.concatenate([rows, band])
            while len(rows) >= side:
                yield from (rows[:side, left : left + side] for left in range(0, width, side))
                rows = rows[side:]
        if len(rows):
            yield from (rows[:, left : left + side] for left in range(0, width, side))

    def padded() -> Iterator[np.ndarray]:
        for square in squares():
            whole = np.zeros((side, side, channels), np.uint8)
            whole[: square.shape[0], : square.shape[1]] = square
            yield whole if channels == 3 else whole[..., 0]

    tifffile.imwrite(
        path,
        padded(),
        shape=(height, width, 3) if channels == 3 else (height, width),
        dtype=np.uint8,
        tile=(side, side),
        photometric="rgb" if channels == 3 else "minisblack",
        compression="zlib",
        bigtiff=channels * height * width >= 2**31,
        description=json.dumps(text) if text else None,
        metadata=None,
    )
