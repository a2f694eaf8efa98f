"""TPoS: a sound edits pictures of Stable Diffusion, moment by moment (ICCV 2023)."""
