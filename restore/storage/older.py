"""Recipes as earlier versions stored them, in today's words."""

from __future__ import annotations

from typing import Any

ADDED: dict[str, Any] = {
    "sampling": {"rescale": 0.0, "threshold": 0.0, "picture_guidance": 1.0, "captured": False},
    "training": {"captured": False, "condition_dropout": {"whole": 0.0}},
}
"""Settings that earlier versions did not have, and what they did."""


def current(recipe: Any) -> Any:
    """The recipe of a run.json, whose training settings said `channels_last` before they said `layout`."""
    if not isinstance(recipe, dict):
        return recipe
    recipe = _filled(recipe, ADDED)
    training = recipe.get("training")
    if not isinstance(training, dict) or "layout" in training or not isinstance(training.get("channels_last"), bool):
        return recipe
    kept = {name: value for name, value in training.items() if name != "channels_last"}
    layout = "channels-last" if training["channels_last"] else "contiguous"
    return {**recipe, "training": {**kept, "layout": layout}}


def _filled(settings: dict[str, Any], added: dict[str, Any]) -> dict[str, Any]:
    """The settings with what was added to those that they have, of any depth."""
    filled = dict(settings)
    for name, value in added.items():
        if not isinstance(value, dict):
            filled.setdefault(name, value)
        elif isinstance(filled.get(name), dict):
            filled[name] = _filled(filled[name], value)
    return filled
