"""AADiff: the words of a prompt stressed by loudness (AADiff)."""
