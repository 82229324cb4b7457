"""Published models as pipelines: every sampler, guide and editor, and `solve`, take them."""

from restore.pretrained.opening import pretrained

__all__ = ["pretrained"]
