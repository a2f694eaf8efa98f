"""DynamiCrafter: picture and prompt alone."""
