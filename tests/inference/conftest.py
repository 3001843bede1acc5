"""The recording and the untrained track that the tests of the commands use."""

from tests.commands.conftest import frame, project, source, train

__all__ = ["frame", "project", "source", "train"]
