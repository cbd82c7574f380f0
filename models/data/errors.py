class DataError(Exception):
    """A data set cannot be used as it is; the message is one sentence with what to do."""
