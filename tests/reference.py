"""Inputs and weights by formula, and the published numbers for them (`tests/golden/`)."""

from __future__ import annotations

import json
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

GOLDEN = Path(__file__).parent / "golden"


def _index(shape) -> np.ndarray:
    return np.arange(int(np.prod(shape)), dtype=np.float64)


def _tensor(values: np.ndarray, shape) -> Tensor:
    return torch.from_numpy(values.astype(np.float32).reshape(shape))


def image(shape, s: float = 0) -> Tensor:
    k = _index(shape)
    return _tensor(0.9 * np.sin(0.13 * k + 0.7 * np.sin(0.011 * k) + 0.9 * s), shape)


def noise(shape, s: float = 0) -> Tensor:
    k = _index(shape)
    return _tensor(1.3 * np.sin(12.9898 * k + 78.233 + 0.731 * s) * np.cos(0.37 * k + 0.217 * s), shape)


def small(shape) -> Tensor:
    k = _index(shape)
    return _tensor(0.01 * (0.9 * np.sin(0.13 * k + 0.7 * np.sin(0.011 * k))), shape)


def scene(shape) -> Tensor:
    """Low frequencies, edges and unequal channel means."""
    batch, channel, y, x = np.indices(shape, dtype=np.float64)
    k = _index(shape).reshape(shape)
    values = (
        0.4 * np.sin(0.13 * k + 0.7 * np.sin(0.011 * k))
        + 0.3 * np.sin(0.21 * x + 0.17 * y + 0.9 * channel + 1.3 * batch)
        + 0.22 * np.tanh(8.0 * np.sin(0.11 * x - 0.07 * y + 0.5 * channel + 0.8 * batch))
    )
    return _tensor(values, shape)


INPUTS = {"image": image, "noise": noise, "small": small, "scene": scene}


def given(spec: dict[str, Any]) -> Tensor:
    """The input that a manifest entry describes."""
    return INPUTS[spec["fn"]](spec["shape"], **({"s": spec["s"]} if "s" in spec else {}))


def weight(name: str, shape) -> Tensor:
    k = _index(shape)
    z = np.sin(0.37 * k + 0.0001 * k * k + (zlib.crc32(name.encode()) % 1000) / 10.0)
    if name.endswith(".g") or (name.endswith(".weight") and len(shape) == 1):
        return _tensor(1 + 0.1 * z, shape)
    if name.endswith((".bias", ".b")):
        return _tensor(0.05 * z, shape)
    return _tensor(z / np.sqrt(len(k) / shape[0]), shape)


def toy_eps(x: Tensor, step: int) -> Tensor:
    """The toy noise predictor; `step` is the original 0-based step."""
    return 0.3 * x + 0.1 * torch.sin(x) + 0.0001 * step


def toy_restorer(x: Tensor, t: Tensor) -> Tensor:
    return 0.9 * x + 0.05 * torch.cos(3 * x)


@cache
def manifest() -> dict[str, dict[str, Any]]:
    """Entries by name, and by file/name where two files use the same name (the bare name is the first file's)."""
    entries = json.loads((GOLDEN / "manifest.json").read_text())["arrays"]
    qualified = {f"{Path(entry['file']).stem}/{entry['name']}": entry for entry in entries}
    return qualified | {entry["name"]: entry for entry in reversed(entries)}


@cache
def _arrays(file: str) -> dict[str, np.ndarray]:
    with np.load(GOLDEN / file) as arrays:
        return dict(arrays)


def golden(name: str) -> tuple[Tensor, float, dict[str, Any]]:
    """The array, its tolerance, and its parameters."""
    entry = manifest()[name]
    return torch.from_numpy(_arrays(entry["file"])[entry["name"]]), float(entry["atol"]), entry["params"]


def assert_golden(value: Tensor, name: str, regrouped: float = 1.0) -> None:
    """Within the array's tolerance, times `regrouped` (up to 5) where our operations are grouped differently."""
    assert 1 <= regrouped <= 5
    array, atol, _ = golden(name)
    torch.testing.assert_close(value.to(array.dtype), array, rtol=0, atol=atol * regrouped)


def assert_golden_bytes(value: Tensor, name: str, regrouped: float = 1.0) -> None:
    """Like `assert_golden` for values cut to 8 bits: up to 0.5% of them may be off by one level (2/255)."""
    array, atol, _ = golden(name)
    error = (value - array).abs()
    off = error > atol * regrouped
    assert off.float().mean() <= 0.005
    assert (error[off] - 2 / 255).abs().max() < 1e-5 if off.any() else True


def cut_to_bytes(x: Tensor) -> Tensor:
    """[-1, 1] to 8 bits and back, truncated: what the published training does to x_t under `discrete`."""
    return ((x + 1) / 2 * 255).trunc() / 255 * 2 - 1
