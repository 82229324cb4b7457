"""The objective of an autoencoder: reconstruction, a little of the posterior's divergence, and what a discriminator says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from degrade.checks import bounded
from degrade.lazy import torch
from degrade.random import normal
from restore.restorer import Restorer
from restore.training.objectives import distance

if TYPE_CHECKING:
    from torch import Tensor

    from degrade.random import Random
    from models.autoencoder import Verdict


@dataclass(frozen=True)
class Reconstruction:
    """L1 over several scales + kl KL(q(z|x) || N(0, 1)) / (C H W) + adversary w (-mean D(x_hat)) + hinge loss of D.

    Rombach et al. 2022, arXiv 2112.10752, appendix G, with absolute errors at several scales in place of the perceptual
    distance (LPIPS), whose weights do not come with this project. w is |dL1/dx_hat| / |d mean D(x_hat)/dx_hat|, so that both
    pull at an image alike: Esser et al. 2021, arXiv 2012.09841, eq. 7, where it is taken at the decoder's last layer; at its
    output an image does not depend on the others of the batch.
    """

    coarsest: int = 8
    """Shorter side, pixels, down to which errors also count when averaged over squares of 2, 4, ... pixels; 0: pixels only."""
    kl: float = 1e-6
    """Weight of the divergence of the latents' distribution from a standard normal one."""
    adversary: float = 0.5
    """Weight of what the discriminator says, where the network has one."""
    since: float = 0.5
    """Share of the training after which it is heard; it learns from the first step on."""

    def __post_init__(self) -> None:
        bounded(self, coarsest=(0, 65_536), kl=(0, 1e6), adversary=(0, 1e6), since=(0, 1))

    def at(self, done: float, generators: Callable[[], Random]) -> Callable[..., Tensor]:
        """The loss of each sample (B,) when the share `done` of the training is over, the posterior drawn by `generators`."""
        return partial(self._loss, done, generators)

    def _loss(
        self,
        done: float,
        generators: Callable[[], Random],
        restorer: Restorer,
        x0: Tensor,
        t: Tensor,
        latent: tuple,
    ) -> Tensor:
        def noise(shape: torch.Size) -> Tensor:
            return normal(shape, generators())

        x_t = restorer.degradation(x0, t, latent)
        with torch.autocast(x0.device.type, torch.bfloat16, enabled=restorer.precision == "bfloat16"):
            images, mean, std, verdict = restorer.network(x_t, t, noise, x0)
        error = distance(images.float() - x0, "l1", self.coarsest)
        divergence = 0.5 * (mean.square() + std.square() - 1 - 2 * std.log()).float().flatten(1).sum(1)
        loss = error + self.kl * divergence / x0[0].numel()
        return loss if verdict is None else loss + self._judged(done, error, images, verdict)

    def _judged(self, done: float, error: Tensor, images: Tensor, verdict: Verdict) -> Tensor:
        """What D learns (hinge), and, once it is heard, what the autoencoder learns from it."""
        real, made, heard = (scores.float().flatten(1) for scores in verdict)
        hinge = 0.5 * ((1 - real).relu().mean(1) + (1 + made).relu().mean(1))
        if done < self.since:
            return hinge
        fooled = -heard.mean(1)
        pulls = (torch.autograd.grad(loss.sum(), images, retain_graph=True)[0].float() for loss in (error, fooled))
        wanted, given = (pull.flatten(1).norm(dim=1) for pull in pulls)
        return hinge + self.adversary * (wanted / (given + 1e-12)).clamp(max=1e4) * fooled
