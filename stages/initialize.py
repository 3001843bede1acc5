"""Stage initialize: the finished models of another track -> where the trainings of a track start."""

from pathlib import Path

from echoes import entry, initial, params


def main(track: str) -> None:
    source: str = params.load(str, f"init_from.{track}")
    initial.write(source, Path("data", source), Path("data", track, "init"))


if __name__ == "__main__":
    entry.run(main)
