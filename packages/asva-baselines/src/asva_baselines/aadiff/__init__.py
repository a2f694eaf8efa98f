"""AADiff: the words of a prompt stressed by loudness (AADiff, arXiv 2305.04001)."""
