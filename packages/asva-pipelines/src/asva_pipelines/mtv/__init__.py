"""MTV: speech, effects and music steer a video transformer."""
