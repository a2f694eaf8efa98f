"""Errors about models and their files."""


class ModelError(ValueError):
    """A model that cannot be found, checked, converted or loaded."""


class ConversionError(ModelError):
    """A checkpoint does not fit the network: keys are missing or unknown, shapes differ, or the file is none."""
