"""The control that hears nothing: the picture, still."""
