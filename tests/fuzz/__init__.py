"""Bad files for every reader."""
