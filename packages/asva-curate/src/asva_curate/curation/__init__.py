"""Curation: one decode of a file gives measurements, a recipe of thresholds gives what is kept and why."""
