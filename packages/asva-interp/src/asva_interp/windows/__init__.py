"""Windows of a network over a clip of any length."""
