"""Video diffusion U-Nets conditioned on text, image and sound."""
