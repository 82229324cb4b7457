"""Colour profiles, made of the bytes of LittleCMS's own sRGB: its primaries and its curve replaced."""

from __future__ import annotations

import struct

import numpy as np
from PIL import ImageCms

P3 = [(0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407)]
ADOBE = [(0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)]
"""X, Y and Z, adapted to D50, of red, green and blue: Display P3 and Adobe RGB (1998)."""
SRGB = [(0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410)]
GAMMA = 563 / 256
"""Of Adobe RGB (1998)."""


def _numbers(*values: float) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))


def profile(primaries=SRGB, gamma: float | None = None, grey: bool = False) -> bytes:
    """An ICC profile; without `gamma` with sRGB's curve."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for i in range(struct.unpack(">I", data[128:132])[0]):
        entry = 132 + 12 * i
        name, place = bytes(data[entry : entry + 4]), struct.unpack(">I", data[entry + 4 : entry + 8])[0]
        if name in (b"rXYZ", b"gXYZ", b"bXYZ"):
            data[place + 8 : place + 20] = _numbers(*primaries[b"rgb".index(name[:1])])
        if name == b"rTRC" and gamma:  # the other two share it
            data[place + 12 : place + 32] = _numbers(gamma, 1, 0, 0, 0)
        if name == b"rTRC" and grey:
            data[entry : entry + 4] = b"kTRC"
    if grey:
        data[16:20] = b"GRAY"
    return bytes(data)


def press() -> bytes:
    """A profile for CMYK, exact where every ink is full or missing: their Lab at these sixteen colours, and between."""
    identity = bytes(range(256))
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + _numbers(1, 0, 0, 0, 1, 0, 0, 0, 1)
    corners = []
    for i in range(16):
        c, m, y, k = (bool(i & 8), bool(i & 4), bool(i & 2), bool(i & 1))
        corners += [round(2.55 * (20 if k else 90 - 15 * (c + m + y))), 128 + 30 * (m - c), 128 + 30 * (y - c)]
    table += 4 * identity + bytes(corners) + 3 * identity
    white = b"XYZ " + bytes(4) + _numbers(0.9642, 1, 0.8249)
    start = 128 + 4 + 2 * 12
    header = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()[:128])
    header[0:4], header[8:12] = struct.pack(">I", start + len(table) + len(white)), b"\x02\x10\0\0"
    header[12:24] = b"prtrCMYKLab "
    tags = struct.pack(">I", 2) + b"A2B0" + struct.pack(">II", start, len(table))
    tags += b"wtpt" + struct.pack(">II", start + len(table), len(white))
    return bytes(header) + tags + table + white


def to_srgb(values: np.ndarray, primaries, gamma: float | None = None) -> np.ndarray:
    """Levels (..., 3) in [0, 255] of the profile's colours as sRGB's, clipped: the formulas, in float64."""
    x = values / 255
    linear = x**gamma if gamma else np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    linear = (linear @ np.array(primaries) @ np.linalg.inv(np.array(SRGB))).clip(0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
