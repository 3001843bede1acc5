"""Compare the simulated street with recorded 4D radar: percentiles as a table, histograms as a figure.

    python docs/realism.py RECORDINGS [FIGURE]

RECORDINGS holds `raflow-4dradar` and `astyx-hires2019-ccbyncsa4`; a recording that is absent is left out.
Only statistics of the recordings are printed and drawn.
"""

import gzip
import json
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from echoes import params
from echoes.readers import simulated

REPOSITORY = Path(__file__).resolve().parents[1]
FRAMES_OF_SEQUENCE = 8  # every so many of the simulated frames is compared
BINS = {
    "points per frame": np.linspace(0, 3000, 61),
    "range [m]": np.linspace(0, 100, 51),
    "absolute Doppler [m/s]": np.linspace(0, 28, 57),
    "power over the weakest [dB]": np.linspace(0, 45, 46),
    "elevation [deg]": np.linspace(-20, 20, 41),
    "azimuth [deg]": np.linspace(-90, 90, 61),
}


def simulated_frames() -> list[np.ndarray]:
    source = params.load(simulated.Source, "radar.source", REPOSITORY / "params.yaml")
    root = REPOSITORY / "data" / "raw" / "radar"
    entries = simulated.index(root, source)[::FRAMES_OF_SEQUENCE]
    return [simulated.read(root, source, entry).radar.astype(float) for entry in entries]


def raflow_frames(root: Path) -> list[np.ndarray]:
    """Every scan once: the second of a pair is the first of the next."""
    scans = {}
    for path in sorted(root.glob("*/*.json")):
        pair = json.loads(path.read_text())
        for scan in (pair["pc1"], pair["pc2"]):
            columns = ("car_loc_x", "car_loc_y", "car_loc_z", "car_vel_r", "power")
            points = np.array([scan[name] for name in columns], dtype=float).T
            scans[points.tobytes()] = points
    return list(scans.values())


def astyx_frames(root: Path) -> list[np.ndarray]:
    texts = (gzip.decompress(path.read_bytes()).decode() for path in sorted((root / "radar_6455").glob("*.gz")))
    return [np.loadtxt(text.splitlines()[2:], usecols=range(5), ndmin=2) for text in texts]


def quantities(frames: list[np.ndarray]) -> dict[str, np.ndarray]:
    """What is compared, under the names of BINS."""
    x, y, z, doppler, power = np.concatenate(frames).T
    values = (
        np.array([len(frame) for frame in frames]),
        np.sqrt(x**2 + y**2 + z**2),
        np.abs(doppler),
        power - np.percentile(power, 0.1),  # the scales have different zeros
        np.rad2deg(np.arctan2(z, np.hypot(x, y))),
        np.rad2deg(np.arctan2(y, x)),
    )
    return dict(zip(BINS, values, strict=True))


def table(compared: dict[str, dict[str, np.ndarray]]) -> str:
    """A Markdown table: 5 %, median and 95 % of each quantity."""
    lines = ["| quantity | " + " | ".join(compared) + " |", "|---|" + "---|" * len(compared)]
    for name in BINS:
        cells = [
            " / ".join(f"{v:.1f}" for v in np.percentile(values[name], (5, 50, 95))) for values in compared.values()
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def draw(compared: dict[str, dict[str, np.ndarray]], path: Path) -> None:
    figure, panels = plt.subplots(2, 3, figsize=(11, 6), layout="constrained")
    for panel, (name, bins) in zip(panels.flat, BINS.items(), strict=True):
        for label, values in compared.items():
            share = np.histogram(values[name], bins)[0] / len(values[name])
            panel.stairs(share, bins, label=label, fill=label == "simulated", alpha=0.5 if label == "simulated" else 1)
        panel.set(xlabel=name, yticks=[])
    panels[0, 0].legend(frameon=False)
    figure.savefig(path, dpi=110, metadata={"Software": None})


def main(recordings: Path, figure: Path) -> None:
    readers = {"raflow": ("raflow-4dradar", raflow_frames), "astyx": ("astyx-hires2019-ccbyncsa4", astyx_frames)}
    compared = {"simulated": quantities(simulated_frames())}
    for label, (folder, frames) in readers.items():
        if (recordings / folder).is_dir():
            compared[label] = quantities(frames(recordings / folder))
        else:
            print(f"{recordings / folder}: absent, left out", file=sys.stderr)
    print(table(compared))
    draw(compared, figure)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) == 3 else REPOSITORY / "docs" / "realism.png"))
