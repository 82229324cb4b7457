"""What the recipes' command lines are made of."""
