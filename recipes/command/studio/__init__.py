"""The pages of `thaw studio`: what is filled in becomes a command of another recipe, which makes the result."""
