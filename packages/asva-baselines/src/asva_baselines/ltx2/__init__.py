"""LTX-2: a video made of noise beside a sound that is held as it was given."""
