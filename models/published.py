"""Weights of published implementations, by their state-dict names."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from models.patch_unet import PatchUNet

_BLOCK = {
    "norm_in": "in_layers.0",
    "conv_in": "in_layers.2",
    "modulation": "emb_layers.1",
    "norm_out": "out_layers.0",
    "conv_out": "out_layers.3",
    "skip": "skip_connection",
}


def published_name(name: str) -> str:
    """The name that WeilunWang/SinDiffusion gives to the PatchUNet parameter `name`."""
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
        return f"input_blocks.{int(index) + 1}.0.{_BLOCK.get(layer, 'op')}.{kind}"
    stage, position = path
    return f"output_blocks.{stage}.{position}.{_BLOCK.get(layer, 'conv')}.{kind}"


def load_published(network: PatchUNet, state: Mapping[str, Tensor]) -> PatchUNet:
    """Copies a state dict of WeilunWang/SinDiffusion (with or without DataParallel's "module.") into `network`.

    Raises ValueError that names the missing, surplus or misshapen entries, and changes nothing then.
    """
    state = {name.removeprefix("module."): value for name, value in state.items()}
    ours = network.state_dict()
    names = {name: published_name(name) for name in ours}
    missing = sorted(set(names.values()) - set(state))
    surplus = sorted(set(state) - set(names.values()))
    if missing or surplus:
        raise ValueError(
            f"these are not the weights of a SinDiffusion network with {network.config}: "
            f"{len(missing)} entries missing {missing[:3]}, {len(surplus)} surplus {surplus[:3]}."
        )
    for name, theirs in names.items():
        if state[theirs].shape != ours[name].shape:
            raise ValueError(
                f"{theirs} has the shape {tuple(state[theirs].shape)}, {network.config} expects {tuple(ours[name].shape)}."
            )
    network.load_state_dict({name: state[theirs] for name, theirs in names.items()})
    return network
