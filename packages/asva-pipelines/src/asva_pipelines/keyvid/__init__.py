"""KeyVID: keyframes found from sound, generated, interpolated."""
