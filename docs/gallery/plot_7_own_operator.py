"""
An operator of your own
=======================

A degradation is a frozen dataclass with three methods, in a file of yours. This one is fog: light
from the scene is lost on the way, light from the air is added, the more the further away, which
in a landscape is higher up in the picture.

On the command line, every recipe takes it with ``--types fog.py`` and ``degradation:fog``.
"""

from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import sklearn
import torch

from degrade import ImagePrior, NoLatent
from degrade.checks import checked
from degrade.laws import check_laws
from degrade.severity import per_sample, wide
from restore import closed_form, load_image
from restore.data.images import grid, to_bytes


@dataclass(frozen=True)
class Fog:
    """x_t = x0 exp(-t density d) + air (1 - exp(-t density d)), d from 0 at the bottom to 1 at the top."""

    density: float = 3.0
    air: float = 0.7

    def draw(self, x0, generator=None):
        return NoLatent()

    @checked
    def __call__(self, x0, t, latent=NoLatent()):
        distance = torch.linspace(1, 0, x0.shape[-2]).to(x0)[:, None]
        kept = torch.exp(-self.density * per_sample(wide(t), x0) * distance)
        return x0 + (1 - kept) * (self.air - x0)

    def prior(self, images):
        return ImagePrior(images, self)


check_laws(Fog())

# %%
# The laws are kept: nothing is done at severity 0, inputs stay as they are, a batch of mixed
# severities equals a loop, ... (a law that is broken is named). So any recipe can be trained with
# it, and any sampler walks back from it.

picture = load_image(Path(sklearn.__file__).parent / "datasets/images/china.jpg", size=128)
severities = torch.linspace(0, 1, 4)
film = Fog()(picture.expand(4, -1, -1, -1), severities)
strip = grid(list(film), columns=4)
plt.figure(figsize=(10, 10 * strip.shape[1] / strip.shape[2]), layout="constrained")
plt.imshow(to_bytes(strip).permute(1, 2, 0))
plt.axis("off")

# %%
# It can be undone without training, too: ``solve`` takes any operator that torch can
# differentiate. The right half of the picture in fog, with a little noise, under the patches of
# its left half:

left, right = picture[..., :64], picture[..., 64:]
noise = 0.01 * torch.randn(right.shape, generator=torch.Generator().manual_seed(0))
foggy = Fog()(right[None], torch.tensor([0.7]))[0] + noise
found = closed_form(left).solve(foggy, Fog(), severity=0.7, noise=0.01, count=2, progress=False)
strip = grid([left, foggy, found.mean, right], columns=4)
plt.figure(figsize=(10, 10 * strip.shape[1] / strip.shape[2]), layout="constrained")
plt.imshow(to_bytes(strip).permute(1, 2, 0))
plt.axis("off")

# %%
# The half whose patches are known, the half in fog, the mean of two samples of what it may have
# been, and what it was.
