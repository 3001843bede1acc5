"""The one error a user can cause and mend, and what other errors say in it."""

LONGEST = 2000  # characters of a message


class InputError(ValueError):
    """A file, a key or an artifact is not what it must be.

    The message is one line: it names the file (or the key, with its full path), what was
    expected and what came. Stages and commands print it and exit with a status other than 0.

    What came may be anything, such as a name in a file of a stranger: characters that end a line or steer a
    terminal are escaped, and a text without end is cut in its middle.
    """

    def __init__(self, message: str) -> None:
        line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in message)
        if len(line) > LONGEST:
            line = f"{line[: LONGEST * 3 // 4]} ... {line[-LONGEST // 5 :]}"
        super().__init__(line)


def one_line(error: BaseException) -> str:
    """What an exception of a library says, its lines joined; its name where it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__
