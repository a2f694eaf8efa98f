"""The page on which people look at curated clips."""
