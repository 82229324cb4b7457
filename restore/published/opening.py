"""`pretrained`: a published model by its folder, its file, or its name on the hub."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import TYPE_CHECKING

from restore.machine.processes import usable_device
from restore.published.folder import INDEX, PLACES, published_folder

if TYPE_CHECKING:
    from degrade import Degradation
    from restore.pipelines.network import NetworkPipeline
    from restore.restorer import Precision

FILES = (
    *(INDEX, "config.json", "scheduler_config.json", "diffusion_pytorch_model*.safetensors"),
    *(f"{place}/*.{end}" for place in PLACES for end in ("json", "safetensors", "txt", "model")),
)
NOT = ("*.fp16.*", "*.non_ema.*")
"""What is fetched of a name on the hub: what `published_folder` reads, and no second copies of it."""


def pretrained(
    path: str | Path,
    device: str | None = None,
    precision: Precision = "float32",
    degradation: Degradation | None = None,
    steps: int | None = None,
) -> NetworkPipeline:
    """The pipeline of a published model.

    path: a folder in diffusers' format, or the name of one on the hub, such as `owner/model`; or a .pt file with the weights
    of a network of guided diffusion, SinDiffusion or Cold Diffusion, of the last of which `degradation` says what they undo,
    and `steps` in how many steps. Weights of folders are safetensors alone,
    classes those of `models.pretrained` alone; no code that comes with a model is executed. Nothing is loaded before it is
    used, and nothing twice. device: by default a GPU if available. Folders need the extra `pretrained`. Raises ValueError in
    one line for what cannot be used, and says why.
    """
    if Path(path).suffix in (".pt", ".pth", ".safetensors") and Path(path).is_file():
        from restore.published.weights_file import opened_weights

        return opened_weights(Path(path), usable_device(device), precision, degradation, steps)
    if degradation is not None or steps is not None:
        raise ValueError(f"{path} says itself what it undoes: degradation and steps are for .pt files, leave them out.")
    from restore.published.diffusers_format import assembled

    check_extra()
    return assembled(published_folder(local(path)), usable_device(device), precision)


def local(path: str | Path) -> Path:
    """The folder at `path`, fetched from the hub where it is a name there."""
    folder = Path(path)
    if folder.is_dir():
        if not (folder / INDEX).exists():
            raise ValueError(f"{folder} holds no {INDEX}: expected a model in diffusers' format.")
        return folder
    if folder.exists() or not re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", str(path)):
        raise ValueError(f"{path} is no folder of a model, and no name of one on the hub, such as owner/model.")
    check_extra()
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(str(path), allow_patterns=list(FILES), ignore_patterns=list(NOT)))
    except Exception as error:  # of the network, of the hub, of the file system
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{path} is no folder, and cannot be had from the hub: {reason}") from None


def check_extra() -> None:
    """Raises ValueError where the extra `pretrained` is not installed."""
    if any(importlib.util.find_spec(name) is None for name in ("diffusers", "transformers")):
        raise ValueError('published models need diffusers: python -m pip install -c constraints.txt -e ".[pretrained]"')
