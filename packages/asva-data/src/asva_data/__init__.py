"""Video and sound in and out, datasets, and a synthetic audiovisual world with known truth."""
