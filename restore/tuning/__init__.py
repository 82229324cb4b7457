"""Trained pipelines, trained a little further on a few pictures: Imagic, DreamBooth."""
