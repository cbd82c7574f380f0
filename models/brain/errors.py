class BrainError(Exception):
    """A mapping or a GLM cannot be made; the message is one sentence with what to do."""
