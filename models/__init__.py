"""Networks: x (B, C, *space), t (B,) in [0, 1], an output of the shape of x. No diffusion in them.

    net(x, t)        or, where the network declares what it `accepts`,        net(x, t, condition)

One whose output at a pixel depends on nothing further away may say so: `halo`, in pixels, so that tiles fit together.

Settings (`PatchUNetConfig`, ...) are frozen dataclasses of plain numbers that `build()` their network; importing them
does not import torch.
"""

from typing import TYPE_CHECKING

from models.condition import Condition
from models.settings import (
    NETWORKS,
    STEMS,
    ADMUNetConfig,
    AutoencoderConfig,
    ConvNeXtUNetConfig,
    DDPMUNetConfig,
    DiTConfig,
    NetworkConfig,
    PatchStem,
    PatchUNetConfig,
    Stem,
    UNetConfig,
    WaveletStem,
)
from models.settings.network import NetworkSettings

if TYPE_CHECKING:
    from models.adm_unet import ADMUNet
    from models.autoencoder import Autoencoder
    from models.convnext_unet import ConvNeXtUNet
    from models.ddpm_unet import DDPMUNet
    from models.dit import DiT
    from models.patch_unet import PatchUNet
    from models.published import load_published
    from models.unet import UNet

__all__ = [
    "NETWORKS",
    "STEMS",
    "ADMUNet",
    "ADMUNetConfig",
    "Autoencoder",
    "AutoencoderConfig",
    "Condition",
    "ConvNeXtUNet",
    "ConvNeXtUNetConfig",
    "DDPMUNet",
    "DDPMUNetConfig",
    "DiT",
    "DiTConfig",
    "NetworkConfig",
    "NetworkSettings",
    "PatchStem",
    "PatchUNet",
    "PatchUNetConfig",
    "Stem",
    "UNet",
    "UNetConfig",
    "WaveletStem",
    "load_published",
]


def __getattr__(name: str):
    import importlib

    homes = {
        "ADMUNet": "models.adm_unet",
        "Autoencoder": "models.autoencoder",
        "ConvNeXtUNet": "models.convnext_unet",
        "DDPMUNet": "models.ddpm_unet",
        "DiT": "models.dit",
        "PatchUNet": "models.patch_unet",
        "UNet": "models.unet",
        "load_published": "models.published",
    }
    if name not in homes:
        raise AttributeError(f"module 'models' has no attribute {name!r}")
    return getattr(importlib.import_module(homes[name]), name)
