"""Published networks as networks of this project: wrappers around modules of diffusers and transformers, one file a family.

`DENOISERS`, `CODECS` and `TEXT_ENCODERS` are the only classes that a published folder may name.
"""

from models.pretrained.autoencoder_kl import AutoencoderKL
from models.pretrained.dit import DiTTransformer2DModel
from models.pretrained.network import Denoiser, Encoding, Reader
from models.pretrained.pixart import PixArtTransformer2DModel
from models.pretrained.sd3 import SD3Transformer2DModel
from models.pretrained.text import CLIPTextModel, CLIPTextModelWithProjection, T5EncoderModel, TextEncoder
from models.pretrained.unet2d import UNet2DModel
from models.pretrained.unet2d_condition import UNet2DConditionModel

DENOISERS = (UNet2DModel, UNet2DConditionModel, DiTTransformer2DModel, SD3Transformer2DModel, PixArtTransformer2DModel)
CODECS = (AutoencoderKL,)
TEXT_ENCODERS = (CLIPTextModel, CLIPTextModelWithProjection, T5EncoderModel)

__all__ = ["CODECS", "DENOISERS", "TEXT_ENCODERS", "AutoencoderKL", "Denoiser", "Encoding", "Reader", "TextEncoder"]
