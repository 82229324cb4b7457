"""A recording of the walk back."""

from __future__ import annotations

from samplers.driver import Step


class Trajectory(list[Step]):
    """Every step of a walk, in order: pass it as `on_step`. Each has t, s, the estimate x0 and the image x at s, on the CPU.

    trajectory = Trajectory()
    sample(Improved(), restore, degradation, start, times, on_step=trajectory)
    trajectory[-1].x, torch.stack([step.x0 for step in trajectory])
    """

    def __call__(self, step: Step) -> None:
        self.append(step._replace(x0=step.x0.detach().cpu().clone(), x=step.x.detach().cpu().clone()))

    def thinned(self, count: int) -> list[Step]:
        """At most `count` steps, evenly spread, the first and the last among them."""
        if len(self) <= count:
            return list(self)
        return [self[round(i * (len(self) - 1) / (count - 1))] for i in range(count)] if count > 1 else [self[-1]]
