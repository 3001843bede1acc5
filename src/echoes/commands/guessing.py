"""Which reader a recording is of, by the names and the first bytes of its files, for who does not say it."""

from collections.abc import Callable, Iterator
from pathlib import Path

from echoes.errors import InputError
from echoes.readers import acconeer, astyx, generated, images, mars, mcap, raflow, visible, vod, wav
from echoes.readers.cloud_files import FORMATS
from echoes.readers.people import scenario as people
from echoes.readers.street import scenario

FIRST_BYTES = {".bag": b"#ROSBAG", ".db3": b"SQLite format 3\0", ".mcap": mcap.MAGIC}


def _simulated(root: Path) -> str:
    return _told(root, root.glob(scenario.FILE))


def _astyx(root: Path) -> str:
    radar = (path for path in (root / astyx.RADAR).glob("*.txt*") if astyx.NUMBER.fullmatch(path.name.split(".")[0]))
    return _told(root, radar)


def _raflow(root: Path) -> str:
    return _told(root, (path for path in root.rglob("radar_seqs-*.json") if raflow.NAME.fullmatch(path.name)))


def _ros(root: Path) -> str:
    named = (path for suffix in FIRST_BYTES for path in root.rglob(f"*{suffix}"))
    return _told(root, (path for path in named if _begins(path, FIRST_BYTES[path.suffix])))


def _vod(root: Path) -> str:
    radars = (folder for folder in root.glob("*/training/velodyne") if folder.parents[1].name != "lidar")
    return _told(root, (path for each in radars for path in each.glob("*.bin") if vod.NUMBER.fullmatch(path.stem)))


def _generated(root: Path) -> str:
    return _told(root, root.glob(generated.INDEX))


def _clouds(root: Path) -> str:
    return _told(root, (path for suffix in FORMATS for path in root.rglob(f"*{suffix}")))


def _simulated_people(root: Path) -> str:
    return _told(root, root.glob(people.FILE))


def _mars(root: Path) -> str:
    listed = root.glob("subject*/*.mat")
    return _told(root, (path for path in listed if mars.NAME.fullmatch(path.relative_to(root).as_posix())))


def _acconeer(root: Path) -> str:
    named = (path for suffix in acconeer.SUFFIXES for path in root.rglob(f"*{suffix}"))
    return _told(root, (path for path in named if acconeer.is_one(path)))


def _cw24(root: Path) -> str:
    return _told(root, (path for path in root.rglob("*.wav") if _channels(path) == 1))


def _iq(root: Path) -> str:
    return _told(root, (path for path in root.rglob("*.wav") if _channels(path) == 2))


def _images(root: Path) -> str:
    pictures = (path for suffix in images.TOLERANCE for path in root.rglob(f"*{suffix}"))
    return _told(root, (path for path in pictures if path.parent != root))


# What a data set or a format is known by; what a recording of a kind of signal is; and what any recording may have.
TIERS: tuple[dict[str, Callable[[Path], str]], ...] = (
    {
        "simulated": _simulated,
        "astyx": _astyx,
        "raflow": _raflow,
        "ros": _ros,
        "vod": _vod,
        "generated": _generated,
        "simulated_people": _simulated_people,
        "mars": _mars,
    },
    {"acconeer": _acconeer, "cw24": _cw24, "iq": _iq},
    {"clouds": _clouds},
    {"images": _images},
)


def guess(root: Path) -> tuple[str, str]:
    """The reader of a recording, and a line that says why, and which others there are.

    Raises InputError where it may be of several, or of none.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; expected a recording")
    found = [{name: why for name, test in tests.items() if (why := test(root))} for tests in TIERS]
    fits = next(filter(None, found), {})
    if len(fits) != 1:
        told = " or ".join(f"{name} ({why})" for name, why in fits.items()) or "none that has such files"
        raise InputError(f"{root}: expected the recording of one reader, got {told}; --reader says which")
    (reader,) = fits
    others = [name for tier in found for name in tier if tier is not fits]
    also = f"; {' or '.join(others)} may read it, too" if others else ""
    return reader, f"reader {reader}, as there is {fits[reader]}{also}; --reader takes another one"


def _told(root: Path, paths: Iterator[Path]) -> str:
    """The first of the files, below the root; empty where there is none, hidden ones left out."""
    found = (path.relative_to(root) for path in paths if path.is_file())
    return next((path.as_posix() for path in found if not visible.is_hidden(path)), "")


def _begins(path: Path, with_bytes: bytes) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(with_bytes)) == with_bytes


def _channels(path: Path) -> int:
    """Of a WAV file; 0 for what is none."""
    for channels in wav.WORDS:
        try:
            return wav.header(path, channels).channels
        except InputError:
            continue
    return 0
