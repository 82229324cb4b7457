"""Bounds of the networks' settings."""

from __future__ import annotations

MOST = {
    "image_channels": 1024,
    "latent_channels": 1024,
    "adversary": 65_536,
    "patch": 256,
    "channels": 65_536,
    "multipliers": 1024,
    "blocks": 32,
    "kernels": 1023,
    "groups": 65_536,
    "steps": 1_000_000,
    "widths": 65_536,
    "width": 65_536,
    "depths": 64,
    "depth": 256,
    "head": 65_536,
    "transformer": 256,
    "classes": 1_000_000,
    "pooled": 65_536,
    "picture": 1024,
    "tokens": 65_536,
    "text": 65_536,
    "text_depth": 64,
    "stride": 1024,
}
"""Bounds that no sensible network meets: settings may come from a stranger's file."""


def positive(config: object, *names: str) -> None:
    """Raises ValueError unless the named numbers, or all numbers of a tuple, are at least 1 and at most what MOST says."""
    for name in names:
        value = getattr(config, name)
        values = value if isinstance(value, tuple) else (value,)
        if not 1 <= len(values) <= 16 or min(values) < 1 or max(values) > MOST[name]:
            most = f"at most {MOST[name]} (in 16 levels)"
            raise ValueError(f"{name} of {type(config).__name__} is at least 1 and {most}, got {str(value)[:60]}.")
    stride = getattr(config, "stride", 1)
    if stride > MOST["stride"]:
        raise ValueError(
            f"{type(config).__name__} works on squares of {stride} pixels, at most {MOST['stride']}: choose fewer levels."
        )


def optional(config: object, *names: str) -> None:
    """Raises ValueError unless the named numbers are at least 0, which leaves something out, and at most what MOST says."""
    for name in names:
        if not 0 <= getattr(config, name) <= MOST[name]:
            raise ValueError(f"{name} of {type(config).__name__} is 0 to {MOST[name]}, got {str(getattr(config, name))[:60]}.")


def check_heads(head: int, *widths: int) -> None:
    """Raises ValueError unless attention heads of `head` channels, a multiple of 4 for rotary positions, fill the widths."""
    if head % 4 or any(width % head for width in widths):
        raise ValueError(f"an attention head has a multiple of 4 channels, and divides the width; got {head} and {widths}.")


def check_width(channels: int) -> None:
    """Raises ValueError for a width that a sinusoidal embedding does not have."""
    if channels < 4 or channels % 2:
        raise ValueError(f"channels is even and at least 4 (half sines, half cosines in the time embedding), got {channels}.")
