"""The readers under the fuzzer: small valid recordings of each, and how they are read."""

import json
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import h5py
import numpy as np
import yaml
from rosbags.rosbag1 import Writer

from echoes import params
from echoes.autoencoder.fitting import VaeParams
from echoes.commands import sources
from echoes.models.distilling import CdParams
from echoes.models.objectives import LdmParams
from echoes.models.trained import SampleParams
from echoes.readers import (
    acconeer,
    adc,
    astyx,
    clouds,
    cw24,
    images,
    iq,
    mars,
    raflow,
    ros,
    simulated,
    simulated_people,
    splits,
    tables,
    vod,
)
from echoes.readers.frames import Entry
from echoes.readers.splits import BySequence, ByStretch, ByTime
from echoes.voxelization.sections import Layout, Split
from fuzz import checks, formats
from fuzz.cases import Target
from fuzz.mutations import damaged, text_damaged
from readers import (
    bag_recordings,
    test_acconeer,
    test_adc,
    test_astyx,
    test_clouds,
    test_cw24,
    test_images,
    test_iq,
    test_mars,
    test_raflow,
    test_ros,
    test_ros_bags,
    test_ros_frames,
    test_simulated,
    test_simulated_people,
    test_vod,
)

ROOT = Path(__file__).resolve().parents[2]


def everything(reader: ModuleType, source: Any) -> Callable[[Path], Any]:
    """All that a reader lists, and what it reads for each."""
    return lambda root: [(one, reader.read(root, source, one)) for one in reader.index(root, source)]


def _astyx(root: Path) -> None:
    for number, stamp_us in (("000007", 3_599_800_000), ("000008", 3_599_900_000), ("000009", 0)):
        test_astyx.write_frame(root, number, stamp_us, packed=number == "000009")


def _raflow(root: Path) -> None:
    steps = [tuple(part[::6] for part in test_raflow.scan(step)) for step in range(3)]
    for i in range(2):
        test_raflow.write(root, 8 + i, steps[i], steps[i + 1])


def _vod(root: Path) -> None:
    for number in ("00007", "00008"):
        test_vod.write(root, number)


def _clouds(form: str) -> Callable[[Path], None]:
    def write(root: Path) -> None:
        for i in range(2):
            test_clouds.write(root / f"radar/{i}.{form}", test_clouds.points()[::6])
            test_clouds.write(root / f"lidar/{i}.pcd", test_clouds.lidar_rows()[::6], test_clouds.LIDAR)
        test_clouds.table(
            root, [f"{sensor}/{i}.{kind},{i}" for sensor, kind in (("radar", form), ("lidar", "pcd")) for i in (0, 1)]
        )

    return write


def _bag(compression: Writer.CompressionFormat | None) -> Callable[[Path], None]:
    def write(root: Path) -> None:
        radar = [test_ros.radar_message(i) for i in range(2)]
        lidar = [test_ros.lidar_message(i) for i in range(2)]
        both = [("radar", m) for m in radar] + [("lidar", m) for m in lidar]
        topics = {"radar": test_ros.RADAR, "lidar": test_ros.LIDAR}
        listed = [(topics[name], test_ros.START_S + 0.1 * i, message) for i, (name, message) in enumerate(both)]
        bag_recordings.write(root / "loop.bag", listed, compression)
        test_ros.write_extrinsics(root)

    return write


def _bag2(storage: str) -> Callable[[Path], None]:
    def write(root: Path) -> None:
        listed = [message for message in test_ros.messages() if message[1] < test_ros.START_S + 0.8]
        bag_recordings.write2(root / "loop", listed, storage, compressed=True)
        test_ros.write_extrinsics(root)

    return write


def _bag_transforms(root: Path) -> None:
    listed = [message for message in test_ros_frames.tf_messages(np.arange(-1, 5) / 10) if message[0] != test_ros.LIDAR]
    bag_recordings.write(root / "loop.bag", listed)


def _two(found: Any) -> None:
    """No frame of the bag went missing, unless the bag was renamed or copied."""
    checks.frames(found)
    counts = Counter(json.loads(entry.key)["radar"][0] for entry, _ in found)  # a jump of the clock cuts a bag
    assert set(counts.values()) == {2}, counts


CLOUD2 = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("Doppler", "<f4"), ("Power", "<f8"), ("id", "<u2")])


def _messages(root: Path, rng: Random) -> None:
    """A bag of PointCloud2, PointCloud and CustomMsg whose messages, not whose records, are damaged."""
    xyz, doppler, power = (part[:9] for part in test_ros.street(0))
    points = np.zeros(9, CLOUD2)
    for name, column in zip(CLOUD2.names, [*xyz.T, doppler, power, np.arange(9)], strict=True):
        points[name] = column
    start = test_ros.START_S
    order = rng.choice("<>")
    radar = [
        bag_recordings.cloud2(start + 0.1 * i, points, rng.choice((1, 3)), rng.choice((0, 5)), order)
        if rng.random() < 0.7
        else bag_recordings.cloud(start + 0.1 * i, xyz, {"Doppler": doppler, "Power": power})
        for i in range(2)
    ]
    kind = type(radar[0]).__msgtype__
    radar = [message for message in radar if message.__msgtype__ == kind]
    lidar = [bag_recordings.custom(start + 0.01, xyz, [51] * 9)]
    listed = [(test_ros.RADAR, m) for m in radar] + [(test_ros.LIDAR, m) for m in lidar]
    raw = [[topic, m.__msgtype__, bag_recordings.serialized(m)] for topic, m in listed]
    chosen = rng.choice(raw)
    chosen[2] = damaged(chosen[2], rng)
    written = [(topic, start + 0.1 * i, (kind, content)) for i, (topic, kind, content) in enumerate(raw)]
    bag_recordings.write(root / "loop.bag", written)


def _bag_messages(data: bytes, rng: Random) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        _messages(Path(folder), rng)
        return (Path(folder) / "loop.bag").read_bytes()


def _adc(root: Path) -> None:
    test_adc.write(root / "7/walk/1.npy", test_adc.frame(8, 2, 8))
    test_adc.write(root / "7/sit/1.npy", test_adc.frame(8, 2, 8))


def _iq(root: Path) -> None:
    (root / "walk").mkdir()
    for i, form in enumerate(("npy", "wav", "mat", "mat v7", "mat v7.3", "h5")):
        test_iq.FILES[form](root / f"walk/{i}", test_iq.target())


def _cw24(root: Path) -> None:
    for i, bits in enumerate((8, 16, 24, 32, "float")):
        test_cw24.write(root / f"walk/{i}.wav", 8000, test_cw24.tone(8000, seconds=0.05), bits)


def _cw24_table(root: Path) -> None:
    for name in ("a.wav", "b.wav"):
        test_cw24.write(root / name, 8000, np.arange(16000) / 16000)
    (root / cw24.LABELS).write_text(test_cw24.TABLE)


def _images(suffixes: tuple[str, ...], pixels: Callable[[], np.ndarray]) -> Callable[[Path], None]:
    def write(root: Path) -> None:
        for i, suffix in enumerate(suffixes):
            test_images.save(root / f"walk/{i}{suffix}", pixels())

    return write


def _mars(root: Path) -> None:
    test_mars.write(root / "subject1/radar_data1.mat", test_mars.rows())
    (root / "subject2").mkdir()
    with h5py.File(root / "subject2/radar_data1.mat", "w") as file:
        file.create_dataset(mars.TABLE, data=test_mars.rows(), chunks=(8, 4), compression="gzip")


def _acconeer(root: Path) -> None:
    test_acconeer.write(root / "wave.h5", sessions=2)
    test_acconeer.write(root / "hand.h5", continuous_sweep_mode=False)  # rates by the clock


def _street(root: Path) -> None:
    """A short street with few beams: a frame takes milliseconds."""
    values = yaml.safe_load((test_simulated.ROOT / "street.yaml").read_text())
    values["road"] |= {"length_m": 60.0, "behind_m": 5.0}
    values["lidar"] |= {"azimuth_resolution_deg": 4.0, "max_range_m": 40.0}
    for fan in values["lidar"]["fans"]:
        fan["beams"] = min(fan["beams"], 3)
    (root / "street.yaml").write_text(yaml.safe_dump(values, sort_keys=False))


def _people(root: Path) -> None:
    values = yaml.safe_load((test_simulated_people.ROOT / "people.yaml").read_text())
    values["users"] = {"1": values["users"]["1"]}
    values["radars"] = {"k24": values["radars"]["k24"] | {"prf_hz": 800.0}}
    (root / "people.yaml").write_text(yaml.safe_dump(values, sort_keys=False))


SECTIONS: dict[str, Any] = {
    "source": None,  # as its reader says
    "grid": Layout,
    "split": Split,
    "vae": VaeParams,
    "ldm": LdmParams,
    "cd": CdParams,
    "sample": SampleParams,
}


RADAR = ("source", "grid", "split")  # where the families differ


def _params(root: Path) -> None:
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    (root / "params.yaml").write_text(
        yaml.safe_dump({"mars": values["mars"], "radar": {n: values["radar"][n] for n in RADAR}}, sort_keys=False)
    )


def read_params(root: Path) -> list[Any]:
    path = root / "params.yaml"
    listed = [("mars", name) for name in SECTIONS] + [("radar", name) for name in RADAR]
    return [
        sources.load(track, path) if name == "source" else params.load(SECTIONS[name], f"{track}.{name}", path)
        for track, name in listed
    ]


def check_params(found: list[Any]) -> None:
    """Every number is finite; what a dataclass promises, `params` has checked."""

    def check(value: Any) -> None:
        if isinstance(value, dict):
            value = tuple(value.values())
        if isinstance(value, tuple):
            for item in value:
                check(item)
        elif isinstance(value, float):
            assert np.isfinite(value)

    for section in found:
        check(asdict(section))


def _split(root: Path) -> None:
    """Not a file of the pipeline: entries as readers list them, and the parameters of a split."""
    split = {"by": "time", "block_s": 5.0, "purge_s": 1.0, "val": 0.2, "test": 0.2, "seed": 0}
    entries = [[f"drive-{i // 60}", 0.5 * i, "walk" if i % 2 else "sit"] for i in range(120)]
    (root / "split.json").write_text(json.dumps({"split": split, "entries": entries, "duration_s": 1.0}))


def read_split(root: Path) -> Any:
    held = tables.document(root / "split.json", entries=list)
    rows = [row for row in held["entries"] if isinstance(row, list) and [type(x) for x in row] == [str, float, str]]
    entries = [Entry(sequence, stamp, "") for sequence, stamp, _ in rows]
    split = params.build(Split, held.get("split"), "split")
    duration_s = held.get("duration_s")
    if isinstance(split, BySequence | ByStretch) or not isinstance(duration_s, float) or not 0 <= duration_s < 1e9:
        return split, 0.0, entries, splits.assign(entries, params.build(splits.Split, held.get("split"), "split"))
    labels = [(label,) for _, _, label in rows]
    return split, duration_s, entries, splits.assign_labelled(entries, labels, duration_s, split)


def check_split(found: Any) -> None:
    """Every entry has its split, each split has entries, and blocks of time are purged."""
    split, duration_s, entries, names = found
    assert len(names) == len(entries)
    assert {"train", "val", "test"} <= set(names) <= {"train", "val", "test", "purged"}
    if not isinstance(split, ByTime):
        return
    for sequence in {entry.sequence for entry in entries}:
        placed = sorted(
            (e.stamp, n) for e, n in zip(entries, names, strict=True) if e.sequence == sequence and n != "purged"
        )
        for (before, name), (after, other) in pairwise(placed):
            assert name == other or after - before - duration_s >= split.purge_s * (1 - 1e-9), (
                before,
                name,
                after,
                other,
            )


STREET = replace(test_simulated.SOURCE, sequences=1, frames=1)
PEOPLE = replace(test_simulated_people.SOURCE, radars=("k24",), recordings=1)
JSON, TEXT, YAML = {".json": formats.jsonish}, {".txt": text_damaged}, {".yaml": formats.yamlish}
HDF5 = {".h5": formats.hdf5, ".mat": formats.hdf5}
FRAMES, RECORDINGS = checks.frames, checks.recordings

READERS = (
    Target("astyx", _astyx, everything(astyx, test_astyx.SOURCE), FRAMES, {**JSON, **TEXT, ".gz": formats.packed}),
    Target("raflow", _raflow, everything(raflow, test_raflow.SOURCE), FRAMES, JSON),
    Target("vod", _vod, everything(vod, test_vod.SOURCE), FRAMES, {**JSON, **TEXT}),
    *(
        Target(f"ros {name}", _bag(how), everything(ros, test_ros.SOURCE), check, {**YAML, ".bag": of})
        for name, how, check, of in (
            ("records", None, _two, formats.bag),
            ("bz2", Writer.CompressionFormat.BZ2, _two, formats.chunked),
            ("lz4", Writer.CompressionFormat.LZ4, _two, formats.bag),
            ("messages", None, FRAMES, _bag_messages),
        )
    ),
    *(
        Target(
            f"clouds {form}",
            _clouds(form),
            everything(clouds, test_clouds.source(stamps=test_clouds.TABLE, radar__layout=layout)),
            FRAMES,
            {".csv": text_damaged, ".npy": formats.npy},
            weight=0.5,
        )
        for form, layout in (("ply", []), ("csv", []), ("npy", list(test_clouds.RADAR)))
    ),
    Target(
        "ros transforms",
        _bag_transforms,
        everything(ros, test_ros_bags.section(motion=test_ros_frames.TF)),
        FRAMES,
        {".bag": _bag_messages},
        weight=0.5,
    ),
    Target("ros 2 sqlite3", _bag2("sqlite3"), everything(ros, test_ros.SOURCE), FRAMES, YAML),
    Target("ros 2 mcap", _bag2("mcap"), everything(ros, test_ros.SOURCE), FRAMES, YAML),
    Target("mars", _mars, everything(mars, test_mars.SOURCE), RECORDINGS, HDF5),
    Target("acconeer frames", _acconeer, everything(acconeer, test_acconeer.FRAMES), RECORDINGS, HDF5),
    Target("adc", _adc, everything(adc, test_adc.changed(frame={"samples": 8})), RECORDINGS, {".npy": formats.npy}),
    Target(
        "iq",
        _iq,
        everything(iq, test_iq.SOURCE),
        RECORDINGS,
        {".npy": formats.npy, ".wav": formats.wav, ".h5": formats.hdf5},
        weight=0.5,
    ),
    Target("cw24", _cw24, everything(cw24, test_cw24.SOURCE), RECORDINGS, {".wav": formats.wav}),
    Target("cw24 labels.csv", _cw24_table, everything(cw24, test_cw24.SOURCE), RECORDINGS, {".csv": text_damaged}),
    Target(
        "images grey",
        _images((".png", ".jpg"), test_images.grey),
        everything(images, test_images.GREY),
        RECORDINGS,
        {".png": formats.png},
    ),
    Target(
        "images rgb",
        _images((".png",), test_images.pixels),
        everything(images, test_images.RGB),
        RECORDINGS,
        {".png": formats.png},
    ),
    Target("params.yaml", _params, read_params, check_params, YAML, keys=("radar", "mars"), weight=0.4),
    Target("splits", _split, read_split, check_split, JSON, keys=("split", "entries")),
    Target("simulated", _street, everything(simulated, STREET), FRAMES, YAML, weight=0.4),
    Target("simulated_people", _people, everything(simulated_people, PEOPLE), RECORDINGS, YAML, weight=0.4),
)
