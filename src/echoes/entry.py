"""How a stage starts: the track from the command line; what a user can mend is one line and a status of 2."""

import logging
import sys
from collections.abc import Callable
from pathlib import Path

from echoes.errors import InputError


def run(main: Callable[[str], None]) -> None:
    """Run a stage for the track that is its only argument."""
    logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stderr)
    stage = Path(sys.argv[0]).stem
    if len(sys.argv) != 2:
        sys.exit(f"usage: python stages/{stage}.py TRACK")
    try:
        main(sys.argv[1])
    except (InputError, FloatingPointError) as error:  # the latter: a training whose loss is not finite
        print(f"{stage}: {error}", file=sys.stderr)
        sys.exit(2)
