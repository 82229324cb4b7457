"""One paper or task a file: short, readable, runnable (`python recipes/sindiffusion.py`), importable."""

from _thaw import own

own("degrade", "models", "samplers", "restore")
