"""Images larger than memory, or than the network was trained on: tiles, canvases on disk, panoramas, pyramids."""
