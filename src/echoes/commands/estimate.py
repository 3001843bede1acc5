"""Command estimate: what the trainings of a track take of memory and time, before they run, and what fits a card."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from tqdm import tqdm

from echoes.autoencoder import architecture
from echoes.commands import stand_ins, stepping, trainings, yaml_text
from echoes.commands.stepping import Memory
from echoes.commands.trainings import STAGES, Sections, StandIns
from echoes.compute.device import best_device
from echoes.compute.precision import Precision
from echoes.dataset import catalog
from echoes.dataset.grids import Grids
from echoes.dataset.spectrograms import Spectrograms
from echoes.errors import InputError
from echoes.models import denoisers

UNITS = {"MB": 1e6, "GB": 1e9}
# Of a card's memory; the rest is for its context, for what libraries allocate themselves, and for gaps.
USABLE = 0.85
SMALL = 1e9  # bytes of a step that is short enough to be timed unasked


@dataclass(frozen=True)
class Fit:
    """How a batch is gone through, and what that takes."""

    batch: int
    accumulate: int
    gradient_checkpointing: bool
    memory: Memory

    def values(self) -> dict[str, int | bool]:
        """Of the schedule."""
        return {
            "batch": self.batch,
            "accumulate": self.accumulate,
            "gradient_checkpointing": self.gradient_checkpointing,
        }


def estimate(track: str, card: str, precision: Precision | None, timed: bool | None, path: Path, data: Path) -> str:
    """The report of a track.

    card       memory such as 24GB to fit the trainings into; empty for none.
    precision  of all trainings in place of that of each schedule, as for a card that this machine does not have.
    timed      whether steps are made and timed; None: those that take little memory.
    path       of params.yaml; data: the folder with the artifacts of tracks, of which there may be none.
    """
    p, device, limit = trainings.load(track, path), best_device(), bytes_of(card) if card else None
    if precision is not None:
        for stage in STAGES:
            p = p.with_schedule(stage, precision=precision)
    recorded = _recorded(data / track / "grids.zarr")
    labels = stand_ins.LABELS
    if isinstance(recorded, Spectrograms):
        labels = {kind: len(names) for kind, names in recorded.label_names.items()}
    with TemporaryDirectory() as folder:
        made = trainings.stand_ins_of(p, labels, Path(folder))
        found = {stage: stepping.memory(stage, p, made, device) for stage in _told("memory")}
        took = {stage: _seconds(stage, p, made, device, found[stage], timed) for stage in _told("time")}
        fits = {stage: fitting(stage, p, made, device, found[stage], limit) for stage in _told("card")} if limit else {}
        lines = [*_of_networks(track, p, made), "", *_of_stages(p, found, took, recorded)]
    if limit:
        lines += ["", *_of_card(track, p, card, found, fits)]
    return "\n".join(lines)


def _told(what: str) -> Iterator[str]:
    """The stages one after the other; how far it is, where that takes longer than two seconds."""
    return iter(tqdm(STAGES, what, mininterval=1.0, delay=2.0))


def bytes_of(text: str) -> float:
    """Of a memory such as 24GB or 800MB, in powers of ten."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?(MB|GB)", text)
    if match is None or not float(match[1]):
        raise InputError(f"--memory: expected a number and GB or MB, such as 24GB, got {text!r}")
    return float(match[1]) * UNITS[match[2]]


def parameters(p: Sections, made: StandIns) -> dict[str, int]:
    """Network -> how many numbers it learns. Raises InputError for networks that do not fit the grid."""
    with torch.device("meta"):
        vae = architecture.build(p.vae.architecture, made.data.rank, made.data.channels)
        denoiser = denoisers.build(made.latents.header, p.ldm.architecture)
    parts = {"autoencoder": vae, **{f"denoiser: {name}": part for name, part in denoiser.named_children()}}
    counts = {name: sum(weight.numel() for weight in part.parameters()) for name, part in parts.items()}
    return {name: count for name, count in counts.items() if count}


def fitting(stage: str, p: Sections, made: StandIns, device: torch.device, now: Memory, limit: float) -> Fit | None:
    """How the batch of a stage fits into `limit` bytes: in the largest parts that do, be it as a whole.

    With all activations kept if there are such parts, else with those of blocks computed anew. Where a training allows
    one part only, a smaller batch is found. now: what it takes as it is.
    """
    s, usable = p.schedule(stage), USABLE * limit
    if now.peak <= usable and s.accumulate == 1 and not s.gradient_checkpointing:
        return Fit(s.batch, s.accumulate, s.gradient_checkpointing, now)
    if now.kept > usable:
        return None
    for checkpointing in (False, True):
        wanted = list(_cut(stage, p, checkpointing))
        found: Fit | None = None
        while wanted:  # the memory grows with the part
            middle = wanted[len(wanted) // 2]
            q = middle.schedule(stage)
            memory = stepping.memory(stage, middle, made, device)
            if memory.peak <= usable:
                found = Fit(q.batch, q.accumulate, checkpointing, memory)
                wanted = wanted[: len(wanted) // 2]
            else:
                wanted = wanted[len(wanted) // 2 + 1 :]
        if found is not None:
            return found
    return None


def _cut(stage: str, p: Sections, checkpointing: bool) -> Iterator[Sections]:
    """The sections with the batch of a stage in parts of half as many samples each time, down to one."""
    batch = size = p.schedule(stage).batch
    while size:
        try:
            yield p.with_schedule(stage, accumulate=-(-batch // size), gradient_checkpointing=checkpointing)
        except InputError:  # of a training that wants its batch whole, which is of two samples at least
            if size > 1:
                yield p.with_schedule(stage, batch=size, accumulate=1, gradient_checkpointing=checkpointing)
        size //= 2


def _seconds(
    stage: str, p: Sections, made: StandIns, device: torch.device, memory: Memory, timed: bool | None
) -> float | None:
    wanted = memory.peak < SMALL if timed is None else timed
    return stepping.seconds(stage, p, made, device) if wanted else None


def _recorded(path: Path) -> Grids | Spectrograms | None:
    """The grids of a track, where voxelize has written them."""
    return catalog.read(path) if path.exists() else None


def _of_networks(track: str, p: Sections, made: StandIns) -> list[str]:
    shape = " x ".join(map(str, made.latent_shape))
    rows = [[name, f"{count:,}"] for name, count in parameters(p, made).items()]
    return [f"{track}: latents of {shape}", *_table([["network", "parameters"], *rows])]


def _of_stages(
    p: Sections,
    found: dict[str, Memory],
    took: dict[str, float | None],
    recorded: Grids | Spectrograms | None,
) -> list[str]:
    head = ["stage", "batch", "accumulate", "checkpointing", "peak GB", "kept GB", "s a step", "steps", "epoch"]
    rows = [head]
    for stage, memory in found.items():
        s, seconds = p.schedule(stage), took[stage]
        epoch = "-" if recorded is None else f"{len(recorded.frames('train')) / s.batch:.1f}"
        rows.append(
            [
                stage,
                str(s.batch),
                str(s.accumulate),
                "yes" if s.gradient_checkpointing else "no",
                _gb(memory.peak),
                _gb(memory.kept),
                "-" if seconds is None else f"{seconds:.3g}",
                str(s.steps),
                epoch,
            ]
        )
    told = "kept: between two steps; epoch: steps in which every training frame is seen once"
    return [*_table(rows), told + ("; known once voxelize has run" if recorded is None else "")]


def _of_card(track: str, p: Sections, card: str, found: dict[str, Memory], fits: dict[str, Fit | None]) -> list[str]:
    lines = [f"{USABLE:.0%} of {card}, the rest is for what no tensor is:"]
    for stage, fit in fits.items():
        s, key = p.schedule(stage), f"{track}.{STAGES[stage]}.schedule"
        if fit is None:
            kept = _gb(found[stage].kept)
            lines.append(f"  {stage}: does not fit; weights, averages and optimizer alone take {kept} GB")
            continue
        changed = {name: value for name, value in fit.values().items() if value != getattr(s, name)}
        options = " ".join(f"-S {key}.{name}={yaml_text.flow(value)}" for name, value in changed.items())
        lines.append(f"  {stage}: {_gb(fit.memory.peak)} GB {'with ' + options if options else 'as it is'}")
    return lines


def _gb(count: float) -> str:
    return f"{count / UNITS['GB']:.3g}"


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns under each other, the first one to the left."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = [list(zip(row, widths, strict=True)) for row in rows]
    return ["  ".join(["", first.ljust(width), *(c.rjust(w) for c, w in rest)]) for (first, width), *rest in lines]
