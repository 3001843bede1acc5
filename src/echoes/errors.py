"""The one error a user can cause and mend."""


class InputError(ValueError):
    """A file, a key or an artifact is not what it must be.

    The message is one line: it names the file (or the key, with its full path), what was
    expected and what came. Stages and commands print it and exit with a status other than 0.
    """
