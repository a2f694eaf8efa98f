"""Keyframes to every frame: masked-frame conditioning, noise blending and FreeNoise."""
