"""Video transformers of diffusers that hear by a control."""
