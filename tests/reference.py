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


INPUTS = {"image": image, "noise": noise, "small": small}


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


@cache
def manifest() -> dict[str, dict[str, Any]]:
    return {entry["name"]: entry for entry in json.loads((GOLDEN / "manifest.json").read_text())["arrays"]}


@cache
def _arrays(file: str) -> dict[str, np.ndarray]:
    with np.load(GOLDEN / file) as arrays:
        return dict(arrays)


def golden(name: str) -> tuple[Tensor, float, dict[str, Any]]:
    """The array, its tolerance, and its parameters."""
    entry = manifest()[name]
    return torch.from_numpy(_arrays(entry["file"])[name]), float(entry["atol"]), entry["params"]


def assert_golden(value: Tensor, name: str) -> None:
    array, atol, _ = golden(name)
    torch.testing.assert_close(value.to(array.dtype), array, rtol=0, atol=atol)
