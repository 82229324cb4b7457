"""How far a patch U-Net sees: the knob between copying the training image and inventing."""

from __future__ import annotations

from models.settings.patch_unet import PatchUNetConfig


def receptive_field(config: PatchUNetConfig) -> int:
    """Side, in pixels, of the largest square of inputs that one output pixel depends on.

    Exact for norm="pixel"; with group norm it leaves out the norm's statistics, which see the whole image. The longest
    path is walked backwards from each output pixel of one stride (nearest upsampling treats them differently), as the
    interval [low, high] of positions that it reads.
    """
    return max(high - low + 1 for low, high in (_reads(config, pixel) for pixel in range(config.stride)))


def _reads(config: PatchUNetConfig, pixel: int) -> tuple[int, int]:
    low = high = pixel // config.patch

    def convolve(kernel: int) -> None:
        nonlocal low, high
        low, high = low - kernel // 2, high + kernel // 2

    def blocks(count: int, level: int) -> None:
        for _ in range(2 * count):
            convolve(config.kernels[level])

    deepest = len(config.multipliers) - 1
    convolve(3)  # out
    for level in range(deepest):
        blocks(config.blocks + 1, level)
        if config.residual_resampling:  # second convolution, first convolution, then nearest
            blocks(1, level + 1)
        else:
            convolve(3)
        low, high = low // 2, high // 2  # nearest x 2
    blocks(2 * config.blocks + 1, deepest)
    for level in reversed(range(deepest)):
        if config.residual_resampling:  # two convolutions after the average pool
            blocks(1, level)
            low, high = 2 * low, 2 * high + 1
        else:
            low, high = 2 * low - 1, 2 * high + 1  # strided 3 x 3 convolution
        blocks(config.blocks, level)
    convolve(3)  # stem
    return config.patch * low, config.patch * high + config.patch - 1
