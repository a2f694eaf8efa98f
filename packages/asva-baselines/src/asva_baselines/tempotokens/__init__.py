"""TempoTokens: what a sound is, as words for each frame (AAAI 2024)."""
