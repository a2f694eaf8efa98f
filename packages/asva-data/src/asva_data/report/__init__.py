"""Reports of blocks: the same text, tables, figures and playable clips as one HTML file, or as Markdown."""
