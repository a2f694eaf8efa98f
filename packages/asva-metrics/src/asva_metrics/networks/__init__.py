"""The networks that metrics look and listen with, and their checkpoints."""
