"""One paper or task a file: short, readable, runnable (`python recipes/sindiffusion.py`), importable."""
