"""Settings of the networks: plain numbers, checked, that build their network."""

from typing import TYPE_CHECKING, Union

from models.settings.adm_unet import ADMUNetConfig
from models.settings.autoencoder import AutoencoderConfig
from models.settings.convnext_unet import ConvNeXtUNetConfig
from models.settings.ddpm_unet import DDPMUNetConfig
from models.settings.dit import DiTConfig
from models.settings.patch_unet import PatchUNetConfig
from models.settings.stems import PatchStem, WaveletStem
from models.settings.unet import UNetConfig

NETWORKS = (PatchUNetConfig, DDPMUNetConfig, ConvNeXtUNetConfig, UNetConfig, DiTConfig, ADMUNetConfig, AutoencoderConfig)
"""The settings of every network that a checkpoint may name."""
STEMS = (WaveletStem, PatchStem)
"""The stems that a checkpoint may name."""
if TYPE_CHECKING:
    NetworkConfig = (
        PatchUNetConfig | DDPMUNetConfig | ConvNeXtUNetConfig | UNetConfig | DiTConfig | ADMUNetConfig | AutoencoderConfig
    )
    Stem = WaveletStem | PatchStem
else:
    NetworkConfig = Union[NETWORKS]  # the command line offers each as a sub-command
    """Settings of any network of the project."""
    Stem = Union[STEMS]
    """Any stem of the project."""
