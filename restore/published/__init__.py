"""Published models as pipelines: every sampler, guide and editor, and `solve`, take them."""
