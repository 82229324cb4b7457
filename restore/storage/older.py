"""Recipes as earlier versions stored them, in today's words."""

from __future__ import annotations

from typing import Any

ADDED = {"sampling": {"rescale": 0.0, "threshold": 0.0}}
"""Settings that earlier versions did not have, and what they did."""


def current(recipe: Any) -> Any:
    """The recipe of a run.json, whose training settings said `channels_last` before they said `layout`."""
    if not isinstance(recipe, dict):
        return recipe
    for part, added in ADDED.items():
        if isinstance(recipe.get(part), dict):
            recipe = {**recipe, part: {**added, **recipe[part]}}
    training = recipe.get("training")
    if not isinstance(training, dict) or "layout" in training or not isinstance(training.get("channels_last"), bool):
        return recipe
    kept = {name: value for name, value in training.items() if name != "channels_last"}
    layout = "channels-last" if training["channels_last"] else "contiguous"
    return {**recipe, "training": {**kept, "layout": layout}}
