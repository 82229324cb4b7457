"""Published weights in a .pt file: the network of this project that they are of, found by their names and shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from degrade import Betas, Degradation, GaussianNoise, LinearBeta
from degrade.lazy import torch
from models import ADMUNetConfig, ConvNeXtUNetConfig, DDPMUNetConfig, NetworkConfig, PatchUNetConfig
from restore.data.sources import OneImage
from restore.machine.provenance import provenance
from restore.parametrisation import Prediction
from restore.pipelines.network import NetworkPipeline
from restore.recipe import Recipe
from restore.restorer import Precision, Restorer
from restore.sampling import Sampling
from restore.storage.checkpoint import save_checkpoint
from restore.storage.specification import encode
from samplers import DDPM, Improved, Respaced

if TYPE_CHECKING:
    from torch import Tensor, nn


class Known(NamedTuple):
    """A published network, and what it undoes."""

    network: NetworkConfig
    size: int
    """Pixels along a side of the images that it learned."""
    degradation: Degradation | None = None
    """None: the file does not tell."""
    prediction: Prediction = "x0"
    sampling: Sampling = Sampling(Improved(), steps=50, clip=False)


ADM = {
    "64": ADMUNetConfig(),
    "128": ADMUNetConfig(3, 256, (1, 1, 2, 3, 4), blocks=2, attention=(2, 3, 4), head=0, heads_first=True),
    "256": ADMUNetConfig(3, 256, (1, 1, 2, 2, 4, 4), blocks=2, attention=(3, 4, 5), heads_first=True),
    "256-unconditional": ADMUNetConfig(3, 256, (1, 1, 2, 2, 4, 4), blocks=2, attention=(3, 4, 5), heads_first=True, classes=0),
}
"""openai/guided-diffusion's networks: ImageNet's by their size, and the unconditional one, which LSUN's are too."""
_COSINE, _LINEAR = GaussianNoise(Betas("cosine")), GaussianNoise(LinearBeta())
_ANCESTRAL = Sampling(DDPM("small"), steps=250, grid=Respaced(1000))
KNOWN = (
    *(Known(network, int(name[:3]), _COSINE if name == "64" else _LINEAR, "eps", _ANCESTRAL) for name, network in ADM.items()),
    Known(PatchUNetConfig(), 250, _LINEAR, "eps", Sampling(DDPM("large"), steps=1000, clip=False, pad_to=8)),
    *(Known(DDPMUNetConfig(channels, attention=(level,)), 16 * 2**level) for channels in (3, 1) for level in (1, 3, 2)),
    *(Known(ConvNeXtUNetConfig(channels, time=time), 128) for channels in (3, 1) for time in (True, False)),
)
"""Guided diffusion's, SinDiffusion's, and Cold Diffusion's, whose files do not tell what they undo."""


def published_recipe(state: Mapping[str, Tensor], path: Path, degradation: Degradation | None, steps: int | None) -> Recipe:
    """The recipe of published weights, as `read_published` gives them. Raises ValueError in one line for others, and where
    nobody says what they undo."""
    from models.published import mismatch

    with torch.device("meta"):
        known = next((one for one in KNOWN if mismatch(one.network.build(), state) is None), None)
    if known is None:
        raise ValueError(
            f"{path} holds {len(state)} weights that are none of guided diffusion's, SinDiffusion's or Cold Diffusion's: load "
            "them into a network of your own settings (models.load_published)."
        )
    undone = degradation or known.degradation
    if undone is None:
        raise ValueError(f"{path} does not tell what it undoes: name the degradation, such as degradation:iterated-blur.")
    network: Any = known.network
    return Recipe(
        images=path,
        degradation=undone,
        data=OneImage(size=known.size),
        network=network if steps is None else replace(network, steps=steps),
        prediction=known.prediction,
        sampling=known.sampling if steps is None else replace(known.sampling, steps=min(steps, known.sampling.steps)),
    )


def opened_weights(
    path: Path, device: str, precision: Precision, degradation: Degradation | None = None, steps: int | None = None
) -> NetworkPipeline:
    """The pipeline of a .pt file. Raises ValueError in one line."""
    recipe, network = _read(path, degradation, steps)
    return NetworkPipeline(
        degradation=recipe.degradation,
        prior=recipe.degradation.prior(torch.zeros(1, *_size(recipe))),
        size=_size(recipe),
        data=recipe.data,
        sampling=recipe.sampling,
        classes=_classes(recipe),
        device=device,
        restorer=Restorer(network.to(device), recipe.degradation, recipe.prediction, precision),
        name=str(path),
        network_stride=recipe.stride,
    )


def import_weights(path: Path, out: Path, degradation: Degradation | None = None, steps: int | None = None) -> Recipe:
    """Makes the folder `out` an ordinary run with the weights of a .pt file. Raises ValueError in one line.

    A degradation whose prior depends on images gets that of a grey one: such a run restores, and generates nothing of worth.
    """
    recipe, network = _read(path, degradation, steps)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out} is not empty: name another folder with --out.")
    tensors: dict[str, Tensor] = {}
    prior = recipe.degradation.prior(torch.zeros(1, *_size(recipe)))
    stored = {
        "recipe": encode(recipe),
        "prior": encode(prior, tensors, "prior"),
        "size": list(_size(recipe)),
        "classes": list(_classes(recipe)),
        "provenance": provenance(),
    }
    save_checkpoint(out, 0, stored, {"ema": dict(network.named_parameters()), "prior": tensors})
    return recipe


def _read(path: Path, degradation: Degradation | None, steps: int | None) -> tuple[Recipe, nn.Module]:
    from models.published import load_published, read_published

    state = read_published(path)
    unsound = next((name for name, weight in state.items() if not bool(weight.isfinite().all())), None)
    if unsound is not None:
        raise ValueError(f"{path} holds weights that are NaN or infinite: {unsound[:60]!r}.")
    recipe = published_recipe(state, path, degradation, steps)
    with torch.device("meta"):
        network: Any = recipe.build()
    return recipe, load_published(network, state).eval().requires_grad_(False)


def _size(recipe: Recipe) -> tuple[int, int, int]:
    return (recipe.network.image_channels, recipe.data.size, recipe.data.size)


def _classes(recipe: Recipe) -> tuple[str, ...]:
    return tuple(map(str, range(recipe.classes or 0)))
