"""One request becomes one video with its record."""
