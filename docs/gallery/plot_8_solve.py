"""
Restore by samples, under a closed-form prior
=============================================

A measurement is y = A(x0) + noise. What images it may be of is asked of the patches of another
photograph of the same kind of thing; no network is trained, neither for the images nor for A.
Where much was lost the answers differ, so several are drawn.

On the command line: ``thaw solve blurry.png degradation:gaussian-blur --severity .2 --noise .02
--prior left.png``.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import skimage
import torch

from degrade import GaussianBlur
from restore import closed_form, load_image
from restore.data.images import to_bytes
from restore.evaluation.metrics import psnr
from restore.pipelines.solving import reduced_to

picture = load_image(Path(skimage.data_dir) / "brick.png", size=144)
left, right = picture[..., :72], picture[..., 72:]
noise = 0.02 * torch.randn(right.shape, generator=torch.Generator().manual_seed(0))
blurred = GaussianBlur()(right[None], torch.tensor([0.2]))[0] + noise

prior = closed_form(left)
found = prior.solve(blurred, GaussianBlur(), severity=0.2, noise=0.02, count=3, progress=False)

# %%
# Left to right: what is seen, a sample, the mean of three, how far they spread (bright: far), and
# the truth.


def shown(*pictures):
    _, axes = plt.subplots(1, len(pictures), figsize=(10, 4.6), layout="constrained")
    for ax, (title, image) in zip(axes, pictures, strict=True):
        ax.imshow(to_bytes(image).permute(1, 2, 0) if image.ndim == 3 else image, cmap="magma")
        ax.set_title(title, fontsize=9)
        ax.axis("off")


def named(name, image):
    return f"{name}, {float(psnr(image[None], right[None])):.1f} dB", image


shown(
    named("blurred, noisy", blurred),
    named("a sample", found.samples[0]),
    named("mean of 3", found.mean),
    ("spread", found.deviation.mean(0)),
    ("truth", right),
)

# %%
# A is a degradation, or any function that torch can differentiate. Here pictures are a third of
# the size:

small = reduced_to((48, 24))(right[None])[0]
found = prior.solve(small, reduced_to((48, 24)), size=(144, 72), count=3, progress=False)
large = torch.nn.functional.interpolate(small[None], (144, 72), mode="bicubic")[0]
shown(
    named("bicubic", large),
    named("a sample", found.samples[0]),
    named("mean of 3", found.mean),
    ("spread", found.deviation.mean(0)),
    ("truth", right),
)
