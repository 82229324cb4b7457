"""Networks `net(x, t, cond=None)`: x (B, C, H, W), t (B,) in [0, 1], an output of the shape of x. No diffusion in them.

Settings (`PatchUNetConfig`, ...) are frozen dataclasses of plain numbers that `build()` their network; importing them
does not import torch.
"""

from typing import TYPE_CHECKING, Union

from models.config import ConvNeXtUNetConfig, DDPMUNetConfig, PatchUNetConfig

if TYPE_CHECKING:
    from models.convnext_unet import ConvNeXtUNet
    from models.ddpm_unet import DDPMUNet
    from models.patch_unet import PatchUNet
    from models.published import load_published

NETWORKS = (PatchUNetConfig, DDPMUNetConfig, ConvNeXtUNetConfig)
if TYPE_CHECKING:
    NetworkConfig = PatchUNetConfig | DDPMUNetConfig | ConvNeXtUNetConfig
else:
    NetworkConfig = Union[NETWORKS]  # the command line offers each as a sub-command

__all__ = [
    "NETWORKS",
    "ConvNeXtUNet",
    "ConvNeXtUNetConfig",
    "DDPMUNet",
    "DDPMUNetConfig",
    "NetworkConfig",
    "PatchUNet",
    "PatchUNetConfig",
    "load_published",
]


def __getattr__(name: str):
    import importlib

    homes = {
        "ConvNeXtUNet": "models.convnext_unet",
        "DDPMUNet": "models.ddpm_unet",
        "PatchUNet": "models.patch_unet",
        "load_published": "models.published",
    }
    if name not in homes:
        raise AttributeError(f"module 'models' has no attribute {name!r}")
    return getattr(importlib.import_module(homes[name]), name)
