"""What a training cannot do."""


class RunError(ValueError):
    """A run that cannot start or go on as asked."""
