"""How good are restored and generated images: fidelity, Frechet distance, single-image metrics."""
