"""One interface for every restorer: around a network, or from a photograph's patches."""
