"""Runs on the Hugging Face hub: pushed with a card, opened from hf://user/run. Nothing that is downloaded is executed."""
