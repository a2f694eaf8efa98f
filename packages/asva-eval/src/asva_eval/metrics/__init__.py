"""Scores that are one file each: what is observed, what a clip adds, and what reports say of it."""
