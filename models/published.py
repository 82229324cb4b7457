"""Weights of published implementations, by their state-dict names."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from models.adm_unet import ADMUNet
from models.convnext_unet import ConvNeXtUNet
from models.ddpm_unet import DDPMUNet
from models.patch_unet import PatchUNet

N = TypeVar("N", PatchUNet, DDPMUNet, ConvNeXtUNet, ADMUNet)


def load_published(network: N, weights: str | Path | Mapping[str, Any]) -> N:
    """Copies published weights into `network`: a PatchUNet (WeilunWang/SinDiffusion), a DDPMUNet or ConvNeXtUNet
    (arpitbansal297/Cold-Diffusion-Models), or an ADMUNet (openai/guided-diffusion).

    `weights` is a state dict or a .pt file, of which the EMA is taken if it has one. DataParallel's "module." prefixes are
    dropped; of a whole diffusion model, so are the kernels and schedules that were stored with it (the operators compute
    theirs). Files are read as tensors only, no code in them is run. Raises ValueError that names the missing, surplus or
    misshapen entries, and changes nothing then. A network on the meta device takes the tensors as they are, in float32.
    """
    state = read_published(weights) if isinstance(weights, str | Path) else _network_entries(weights)
    wrong = mismatch(network, state)
    if wrong is not None:
        raise ValueError(wrong)
    ours = network.state_dict()
    like = {name: state[published_name(network, name)].reshape(value.shape) for name, value in ours.items()}
    meta = any(value.is_meta for value in ours.values())
    network.load_state_dict({name: value.float() for name, value in like.items()} if meta else like, assign=meta)
    return network


def mismatch(network: nn.Module, state: Mapping[str, Any]) -> str | None:
    """How `state` differs from the published weights of `network`, in a line; None where it does not."""
    ours = network.state_dict()
    names = {name: published_name(network, name) for name in ours}
    missing = sorted(set(names.values()) - set(state))
    surplus = sorted(set(state) - set(names.values()))
    if missing or surplus:
        return (
            f"these are not the published weights of a network with {network.config}: "
            f"{len(missing)} entries missing {missing[:3]}, {len(surplus)} surplus {surplus[:3]}."
        )
    for name, theirs in names.items():
        if state[theirs].squeeze().shape != ours[name].squeeze().shape:
            return f"{theirs} has the shape {tuple(state[theirs].shape)}, {network.config} expects {tuple(ours[name].shape)}."
    return None


def read_published(path: str | Path) -> dict[str, Tensor]:
    """The network's entries of a .pt file of published weights, which stay in the file's pages until they are used. Raises
    ValueError if it is none."""
    state = _network_entries(_read(path))
    if not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError(f"{path} holds no weights of a network: expected tensors by their names.")
    return state


def published_name(network: nn.Module, name: str) -> str:
    """The name that the published implementation gives to the parameter `name` of `network`."""
    if isinstance(network, PatchUNet):
        return _sindiffusion_name(name)
    if isinstance(network, ConvNeXtUNet):
        for ours, theirs in _CONVNEXT:
            name = re.sub(ours, theirs, name)
    return name  # DDPMUNet and ADMUNet use the published names


def _read(path: str | Path) -> Mapping[str, Any]:
    """The tensors of a .pt file. Raises ValueError if it is none."""
    if Path(path).suffix == ".safetensors":
        raise ValueError(
            f"{path} is one file of safetensors: give the folder of its model in diffusers' format, which diffusers makes of "
            "such a file (from_single_file, save_pretrained)."
        )
    try:
        mapped = zipfile.is_zipfile(path)  # else of before torch 1.6
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist: expected a .pt file of published weights.") from None
    except Exception as error:  # whatever the unpickler meets in a foreign file
        reason = str(error).splitlines()[0]
        if "weights_only" in reason:  # torch's advice is to let the file execute what it holds
            reason = "it holds something else, or is another kind of file."
        raise ValueError(f"{path} cannot be read as a .pt file of tensors: {reason}") from None


def _network_entries(state: Mapping[str, Any]) -> dict[str, Tensor]:
    """The network's entries of a checkpoint {"ema": ..., "model": ...}, of a diffusion model, or of a network."""
    for key in ("ema", "model"):
        if isinstance(state.get(key), Mapping):
            state = state[key]
    entries = {name.removeprefix("module."): value for name, value in state.items()}
    if any(name.startswith("denoise_fn.") for name in entries):
        entries = {n.removeprefix("denoise_fn."): value for n, value in entries.items() if n.startswith("denoise_fn.")}
    return {name.removeprefix("module."): value for name, value in entries.items()}


_CONVNEXT = (
    (r"^time\.0\.", "time_mlp.1."),
    (r"^time\.2\.", "time_mlp.3."),
    (r"^(down|up)\.", r"\1s."),
    (r"^middle\.first\.", "mid_block1."),
    (r"^middle\.second\.", "mid_block2."),
    (r"^middle\.attention\.", "mid_attn."),
    (r"^last\.", "final_conv.0."),
    (r"^out\.", "final_conv.1."),
    (r"^((?:down|up)s\.\d+)\.first\.", r"\1.0."),
    (r"^((?:down|up)s\.\d+)\.second\.", r"\1.1."),
    (r"^((?:down|up)s\.\d+)\.attention\.", r"\1.2."),
    (r"^((?:down|up)s\.\d+)\.resample\.", r"\1.3."),
    (r"^(mid_attn|(?:down|up)s\.\d+\.2)\.(norm\.\w+)$", r"\1.fn.\2"),
    (r"^(mid_attn|(?:down|up)s\.\d+\.2)\.(qkv|out)\.", r"\1.fn.fn.to_\2."),
    (r"\.depthwise\.", ".ds_conv."),
    (r"\.time\.(weight|bias)$", r".mlp.1.\1"),
    (r"(?<!\.fn)\.norm\.", ".net.0."),
    (r"\.(norm|net\.0)\.weight$", r".\1.g"),
    (r"\.(norm|net\.0)\.bias$", r".\1.b"),
    (r"\.widen\.", ".net.1."),
    (r"\.narrow\.", ".net.3."),
    (r"\.skip\.", ".res_conv."),
)

_SINDIFFUSION_BLOCK = {
    "norm_in": "in_layers.0",
    "conv_in": "in_layers.2",
    "modulation": "emb_layers.1",
    "norm_out": "out_layers.0",
    "conv_out": "out_layers.3",
    "skip": "skip_connection",
}


def _sindiffusion_name(name: str) -> str:
    room, *rest = name.split(".")
    *path, layer, kind = rest if len(rest) > 1 else ["", *rest]
    if room == "time":
        return f"time_embed.{layer}.{kind}"
    if room == "stem":
        return f"input_blocks.0.0.{kind}"
    if room in ("norm", "out"):
        return f"out.{0 if room == 'norm' else 2}.{kind}"
    if room == "encoder":
        (index,) = path
        return f"input_blocks.{int(index) + 1}.0.{_SINDIFFUSION_BLOCK.get(layer, 'op')}.{kind}"
    stage, position = path
    return f"output_blocks.{stage}.{position}.{_SINDIFFUSION_BLOCK.get(layer, 'conv')}.{kind}"
