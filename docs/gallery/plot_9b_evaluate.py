"""
How good are new images of one photograph?
==========================================

One figure is not enough: a copy has no artefacts, and noise is never copied. ``Judge`` holds a
sample against the photograph, without a pretrained network.

On the command line: ``thaw judge photo.jpg samples/*.png --size 250``.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import sklearn

from restore import closed_form
from restore.data.images import to_bytes
from restore.evaluation.single_image import Judge
from restore.patches.settings import dialled

photo = Path(sklearn.__file__).parent / "datasets/images/china.jpg"
photograph = closed_form(photo, 112).photograph
judge = Judge(photograph, every=4)  # every fourth patch is looked up: nearly the same figures, sooner

dial = (0.0, 0.33, 0.67, 1.0)
samples = [closed_form(photo, 112, dialled(novelty)).generate(progress=False)[0] for novelty in dial]
reports = [judge(sample) for sample in samples]

# %%
# The dial of novelty trades coherence (distance of the sample's patches to the nearest of the
# photograph: artefacts raise it) and completeness (the other way round: what is left out raises
# it) for less that is copied.

_, axes = plt.subplots(1, 5, figsize=(10, 1.8), layout="constrained")
titles = ["the photograph", *(f"novelty {novelty}" for novelty in dial)]
for ax, image, title in zip(axes, [photograph, *samples], titles, strict=True):
    ax.imshow(to_bytes(image).permute(1, 2, 0))
    ax.set_title(title, fontsize=9)
    ax.axis("off")

# %%

fig, ax = plt.subplots(figsize=(7, 3.4), layout="constrained")
ax.plot(dial, [report.coherence for report in reports], "o-", label="coherence")
ax.plot(dial, [report.completeness for report in reports], "s-", label="completeness")
ax.set(xlabel="novelty", ylabel="distance of patches, lower is better", ylim=(0, None))
share = ax.twinx()
share.plot(dial, [report.copied for report in reports], "^--", color="grey", label="copied")
share.set(ylabel="share copied", ylim=(0, 1))
fig.legend(loc="outside upper center", ncols=3)
