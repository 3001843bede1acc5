"""Stage folds: a track -> every fold of it built and evaluated in a project of its own, and what holds over all."""

from pathlib import Path

from echoes import metrics, params
from echoes.folds import projects, running, summary, tables
from echoes.models.radar.comparison import CloudEvaluation
from echoes.voxelization.sections import Split


def main(track: str) -> None:
    split = projects.require_stretches(track, params.load(Split, f"{track}.split"))
    p: CloudEvaluation = params.load(CloudEvaluation, f"{track}.evaluate")
    root, numbers, measured = Path(), params.document(Path("params.yaml")), Path("metrics", track)
    cache, rows = running.cache(root), []
    for fold in range(split.folds):
        project = projects.write(root, numbers, track, fold, cache)
        running.repro(project, f"evaluate@{track}", f"fold {fold} of {track} (0 to {split.folds - 1})")
        rows += tables.read(project / measured / tables.PLACE, fold)
    metrics.write(measured / "folds.json", summary.summarise(rows, p.seed, p.resamples))


if __name__ == "__main__":
    running.run(main)
