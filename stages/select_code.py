"""Stage select_code: the reader of a track -> the modules it leads to, so that an edit of others runs nothing anew."""

from echoes import entry, params, track_code


def main(track: str) -> None:
    track_code.write(track, params.load(str, f"{track}.source.reader"))


if __name__ == "__main__":
    entry.run(main)
