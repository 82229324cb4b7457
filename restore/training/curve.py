"""A picture of how a training went."""

from __future__ import annotations

from pathlib import Path

from degrade.files import atomic_write
from restore.training.metrics_log import lines


def draw_curve(metrics: Path, path: Path) -> Path | None:
    """Loss and gradient norm over the steps of metrics.jsonl, as a PNG.

    None where matplotlib is not installed, or no step had a loss.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return None
    seen = [line for line in lines(metrics) if line.get("loss") and line.get("gradient_norm")]
    if not seen:
        return None
    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.subplots(2, sharex=True)
    for axis, name in zip(axes, ("loss", "gradient_norm"), strict=True):
        axis.plot([line["step"] for line in seen], [line[name] for line in seen], linewidth=1)
        axis.set_ylabel(name.replace("_", " "))
        axis.set_yscale("log")
        axis.grid(alpha=0.3, which="both")
    axes[-1].set_xlabel("step")
    with atomic_write(path) as part:
        figure.savefig(part, format="png", dpi=120)
    return path
