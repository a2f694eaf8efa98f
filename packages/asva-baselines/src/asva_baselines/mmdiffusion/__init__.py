"""MM-Diffusion: video and sound are denoised together."""
