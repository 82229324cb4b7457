"""`restore`: a picture that is degraded already. `degrade-and-restore`: a clean one, to see how well that works."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tyro.conf import Positional

from degrade.files import subfolder
from recipes.command.limits import SHARE, SIDE, check_options
from recipes.command.masks import read_mask
from recipes.command.outputs import check_file, check_outputs, first_free, plain_stem, severity_name
from recipes.command.seen import say_seen
from recipes.command.source import results
from recipes.command.walk import Walk
from restore.machine.provenance import provenance

if TYPE_CHECKING:
    from torch import Tensor

    from restore.pipelines.published import Published
    from restore.run import Run


@dataclass(frozen=True)
class Restore(Walk):
    """Restore a picture that is degraded already: once for each severity, since that of a real picture is unknown.

    The pictures, and a strip of the degraded one and all of them, go into a folder.
    """

    image: Positional[Path]
    """The degraded picture."""
    _: KW_ONLY
    severities: tuple[float, ...] | None = None
    """How far it may be degraded: a picture is restored from each (default: .2 .4 .6 .8; 1 for a run of pairs)."""
    mask: Path | None = None
    """For a run that fills holes: a picture of the same size, white where the hole is."""
    direct: bool = False
    """One call of the restorer in place of the walk: for latents that no picture tells, such as snow's flakes."""
    side: int | None = None
    """Reduce the longer side to this, pixels; smaller pictures keep their size (default: the size as for training)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self, severities=SHARE, side=SIDE)
        if self.direct and self.mask is not None:
            raise ValueError(
                "--direct is one call of the restorer, --mask a walk that keeps what is around the hole: give one."
            )

    def __call__(self) -> None:
        from restore.data.images import grid, load_image

        run = self.opened()
        degraded = load_image(self.image, self.side, run.size[0]) if self.side else run.read(self.image)
        say_seen(self.image, degraded, "--side")
        folder = first_free(subfolder(results(self.run), "restored") / plain_stem(self.image))
        severities = self.severities or ((1.0,) if run.paired else (0.2, 0.4, 0.6, 0.8))
        names = [severity_name(severity) for severity in severities]
        out = check_outputs(self.out, folder, [*dict.fromkeys(names)], ("strip",), (self.image, self.mask))
        shown, note = [degraded], {"run": run.name, **run.origin}
        for severity, name in zip(severities, names, strict=True):
            shown.append(self.restored(run, degraded, severity))
            out.save(name, shown[-1], {**note, "severity": f"{severity:g}"})
        strip = out.save("strip", grid(shown, len(shown)), note)
        at = ", ".join(f"{severity:g}" for severity in severities)
        print(f"the picture, then what becomes of it from severity {at}: {strip}; each beside it")

    def restored(self, run: Run | Published, degraded: Tensor, severity: float) -> Tensor:
        """What becomes of the picture (C, H, W) if it is degraded to `severity`."""
        if self.mask is not None:
            return run.fill(degraded, read_mask(self.mask, degraded, self.image), severity, seed=self.seed)
        if self.direct:
            return run.direct(degraded, severity)
        return run.restore(degraded, severity, seed=self.seed)


@dataclass(frozen=True)
class DegradeAndRestore(Walk):
    """Degrade a clean image and restore it: PSNR and SSIM of the degraded copy, of one direct step, and of the walk back.

    Clean, degraded, direct and restored stand side by side in a PNG.
    """

    image: Path | None = None
    """The clean image (default: the one that the run learned from, or the first of its folder)."""
    severity: float = 0.5
    """How far to degrade, in (0, 1]."""
    trajectory: bool = False
    """Also write the walk as a strip: x_t above, the restorer's estimate of x0 below."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self, severity=SHARE)

    def __call__(self) -> None:
        from restore.data.images import format_of, grid, save_image
        from restore.evaluation.metrics import psnr, ssim
        from samplers import Trajectory

        run = self.opened()
        if run.paired:
            raise ValueError(f"{self.run} learned from pairs, and degrades no picture: restore one that is degraded.")
        clean = run.read(self.image)
        out = check_file(self.out or results(self.run) / "restored.png", self.image, run.images)
        format_of(out)  # refuses what could not be written in the end
        strip = out.with_stem(f"{out.stem}-trajectory")
        if self.trajectory:
            check_file(strip, self.image, run.images)
        trajectory = Trajectory()
        result = run.degrade_and_restore(clean, self.severity, seed=self.seed, on_step=trajectory)
        for name in ("degraded", "direct", "restored"):
            x = getattr(result, name)[None].clamp(-1, 1)
            print(f"{name:9} PSNR {float(psnr(x, clean[None])):6.2f} dB   SSIM {float(ssim(x, clean[None])):.4f}")
        path = save_image(grid(list(result), 4), out, provenance())
        print(f"clean, degraded, direct, restored: {path}")
        if self.trajectory:
            frames = trajectory.thinned(12)
            rows = [frame.x[0] for frame in frames] + [frame.x0[0] for frame in frames]
            path = save_image(grid(rows, len(frames)).clamp(-1, 1), strip, provenance())
            print(f"the walk, x_t above and the estimate of x0 below: {path}")
