"""What lies on disk: checkpoints, specifications, weights. Nothing is ever unpickled."""
