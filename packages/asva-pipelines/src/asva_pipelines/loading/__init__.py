"""Models by name: find, check, convert once, cache, load."""
