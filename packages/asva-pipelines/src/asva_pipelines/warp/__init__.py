"""Motion by rule: regions of the photograph itself, moved in time with the sound; nothing is generated."""
