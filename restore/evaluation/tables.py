"""Figures as the cells of a table."""

from __future__ import annotations

from torch import Tensor

from restore.evaluation.features import frechet_distance
from restore.evaluation.kernel_distance import kernel_distance
from restore.evaluation.metrics import psnr, rmse, ssim

FIDELITY = ("PSNR, dB", "SSIM", "RMSE")
DISTANCES = ("Frechet distance", "kernel distance")


def fidelity(x: Tensor, clean: Tensor) -> list[str]:
    """Of images (N, C, H, W) beside the clean ones."""
    p, s, r = (float(metric(x, clean).mean()) for metric in (psnr, ssim, rmse))
    return [f"{p:.2f}", f"{s:.4f}", f"{r:.4f}"]


def distances(features: Tensor, reference: Tensor) -> list[str]:
    """Between two sets, by their features (N, D) and (M, D)."""
    return [f"{frechet_distance(features, reference):.3f}", str(kernel_distance(features, reference))]


def line(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def header(*names: str) -> list[str]:
    """The first two lines of a table."""
    return [line(*names), line(*["---"] * len(names))]
