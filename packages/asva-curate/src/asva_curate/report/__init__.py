"""A page about a curated set: counts, every measurement against its thresholds, what was kept and dropped."""
