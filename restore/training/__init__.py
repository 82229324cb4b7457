"""The trainer: settings, objectives, the loop and what it writes."""
