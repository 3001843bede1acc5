"""The command line: trained tracks on new recordings. A user's error is one line and a status of 2."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from echoes.errors import InputError

# Commands are imported where they run: torch and the readers take seconds, and `--help` shall not.

# As in dvc.yaml: threads that wait for each other soon sleep. Read when torch is loaded, which nothing above does.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")


class OneLine(TyperGroup):
    """Tells what the user can mend in one line, without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # whoever read the output has seen enough; click ends quietly
            raise
        except (InputError, OSError) as error:  # OSError: a full disk, a folder that is not ours
            typer.echo(f"echoes: {error}", err=True)
            raise typer.Exit(2) from error


app = typer.Typer(
    cls=OneLine, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None
)

Recording = Annotated[Path, typer.Argument(metavar="INPUT", help="Folder of the recording.")]
Model = Annotated[Path | None, typer.Option("--model", help="Folder that `echoes pack` wrote, in place of a track.")]
Source = Annotated[
    Path | None, typer.Option("--source", help="YAML of the section `source` of INPUT, with --model; else the pack's.")
]
Reader = Annotated[
    str | None, typer.Option("--reader", help="Of INPUT, with --model; other keys of `source` are the pack's.")
]


@app.callback()
def echoes() -> None:
    """Generative models of imaging radar.

    Run it in the folder of the project, where params.yaml is.
    """


@app.command()
def enhance(
    recording: Recording,
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="Folder for the clouds and their index.")],
    track: Annotated[
        str | None, typer.Option(help="Trained track; its section of params.yaml names the reader.")
    ] = None,
    model: Model = None,
    source: Source = None,
    reader: Reader = None,
    readout: Annotated[
        Literal["fused", "decide", "overlap", "count", "blend", "sample", "draw", "mean"],
        typer.Option(help="The radar and what the model adds; its cells, by four rules; a sample; or the mean."),
    ] = "fused",
    steps: Annotated[int, typer.Option(min=1, max=2, help="Network calls per sample.")] = 1,
    samples: Annotated[int, typer.Option(min=1, help="Averaged; above 1 their spread is told, too.")] = 1,
    member: Annotated[int, typer.Option(min=0, help="Which of several samples of the same frames.")] = 0,
    blend: Annotated[
        float | None, typer.Option(min=0, max=1, help="Share of the sample in `--readout blend`; else what was best.")
    ] = None,
    mirror: Annotated[bool, typer.Option("--mirror", help="Average with left and right swapped, too.")] = False,
    precision: Annotated[
        Literal["auto", "bfloat16", "float16", "float32"], typer.Option(help="Of networks; auto asks the device.")
    ] = "auto",
    tiles: Annotated[
        tuple[int, int, int] | None,
        typer.Option(metavar="Z Y X", help="Cells of tiles for the latent model, where it does not fit whole."),
    ] = None,
    overlap: Annotated[int, typer.Option(min=0, help="Cells that neighbouring tiles share.")] = 0,
    form: Annotated[
        Literal["ply", "pcd", "npy", "csv", "bin"], typer.Option("--format", help="Of the clouds; bin: as of KITTI.")
    ] = "ply",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the clouds of an earlier run.")] = False,
) -> None:
    """Radar frames of a recording -> dense, LiDAR-like clouds.

    Needs no LiDAR; where there is one, tells how near to it the clouds are, and their radar. Writes a cloud per frame
    with x, y, z [m], power [dB], doppler [m/s] and probability, and frames.tsv, which gives the stamp of each and the
    ego velocity that was taken out of its Doppler.
    """
    # Threads of torch that spin while they wait take the cores from the readers: ten times slower. Before torch loads.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from echoes.commands import chosen
    from echoes.commands import enhance as command
    from echoes.compute.tiles import Tiles

    wanted = command.Wanted(
        steps, readout, samples, member, blend, mirror, precision, Tiles(tiles or (), overlap), form
    )
    used = chosen.model("enhance", track, model, source, reader)
    typer.echo(command.enhance(used, recording, output, wanted, overwrite))


@app.command()
def generate(
    folders: Annotated[
        list[Path],
        typer.Argument(metavar="[INPUT] OUTPUT", help="A recording with LiDAR, for radar frames; the result."),
    ],
    track: Annotated[
        str | None, typer.Option(help="Trained track, of labelled spectrograms or of radar from LiDAR.")
    ] = None,
    model: Model = None,
    source: Source = None,
    reader: Reader = None,
    user: Annotated[str | None, typer.Option(help="Whose; every known one if left out.")] = None,
    activity: Annotated[
        str | None, typer.Option(help="What is done, or the class; every known one if left out.")
    ] = None,
    count: Annotated[
        int | None, typer.Option(min=1, help="Spectrograms of each label (16), or radar frames of each frame (1).")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same.")] = 0,
    method: Annotated[
        Literal["ldm", "cd_1", "cd_2"] | None,
        typer.Option(help="Solver (spectrograms of a track), or one or two calls (the first of all else)."),
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Spectrograms, or frames, in the network at once.")] = 32,
    form: Annotated[
        Literal["figures", "dataset", "dataset16", "iq", "ply", "pcd", "npy", "csv", "bin"] | None,
        typer.Option("--format", help="Of spectrograms (figures; dataset: pixels; iq: samples), or of radar frames."),
    ] = None,
    sieve: Annotated[
        bool, typer.Option("--sieve", help="Leave spectrograms out that no body makes, and draw others for them.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace those of an earlier run.")] = False,
) -> None:
    """New spectrograms, or radar frames of a recording with LiDAR.

    Writes spectrograms.npz (dB, with velocity_mps and time_s), a picture of each and one per label; as `dataset` exact
    pixels in a folder per class, labels.csv, and generated.json with their meaning. Or points with x, y, z [m],
    doppler [m/s] and power [dB] for each frame of INPUT, its LiDAR, and generated.json: a recording that the reader
    `generated` reads.
    """
    if len(folders) > 2:
        raise InputError(f"generate: expected [INPUT] OUTPUT, got {len(folders)} folders")
    *recording, output = folders
    if recording:
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as for enhance
    from echoes.commands import chosen
    from echoes.commands import generate as command

    asked = command.Asked(user, activity, count, seed, method, batch, form, sieve)
    used = chosen.model("generate", track, model, source, reader)
    typer.echo(command.generate(used, recording[0] if recording else None, output, asked, overwrite))


@app.command()
def pack(
    output: Annotated[Path, typer.Argument(metavar="MODEL", help="Folder to write, which is not there yet.")],
    track: Annotated[str, typer.Option(help="Trained track.")],
    licence: Annotated[str | None, typer.Option(help="Of the recordings, for the model card.")] = None,
    licence_file: Annotated[Path | None, typer.Option(help="Text with it, in place of --licence.")] = None,
) -> None:
    """Trained track -> a folder that works without the project.

    The weights of the one-call path as they are, profile.json (what its sensor was like, and how recordings are read),
    MODEL_CARD.md, and manifest.json with the sha256 of each file, which `echoes verify MODEL` checks.
    """
    from echoes.commands import pack as command

    if licence is not None and licence_file is not None:
        raise InputError("pack: expected one of --licence and --licence-file, got both")
    told = licence if licence_file is None else licence_file.read_text(errors="replace")
    typer.echo(command.pack(track, output, None if told is None else " ".join(told.split())))


@app.command()
def live(
    model: Annotated[Path, typer.Option(help="Folder that `echoes pack` wrote.")],
    source: Annotated[Literal["stdin", "udp"], typer.Option(help="Where frames come from, and clouds go back to.")],
    host: Annotated[str, typer.Option(help="Address that datagrams come to.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of it; 0 for one that is free.")] = 0,
    doppler: Annotated[
        Literal["over_ground", "relative"] | None,
        typer.Option(help="What it is in the frames that come; `relative`: each frame tells the ego velocity."),
    ] = None,
    every: Annotated[bool, typer.Option("--every", help="Each frame, however late; else the newest.")] = False,
    readout: Annotated[
        Literal["fused", "decide", "overlap", "count", "sample"], typer.Option(help="As for `enhance`.")
    ] = "fused",
    precision: Annotated[
        Literal["auto", "bfloat16", "float16", "float32"], typer.Option(help="Of networks; auto asks the device.")
    ] = "auto",
) -> None:
    """Radar frames as they come -> a cloud for each.

    In: float64 stamp, uint32 n, n x 5 float32 (x, y, z, Doppler, power). Out: the same with 6 columns (x, y, z, power,
    Doppler, probability). Little-endian, one after the other on stdin and stdout, or one in a datagram. A frame that is
    older than the newest one is dropped. At its end it tells latencies and drops on stderr.
    """
    from echoes.commands import chosen
    from echoes.commands import live as command

    wanted = command.Wanted(source, host, port, doppler, every, readout, precision)
    typer.echo(command.live(chosen.Pack(model, None, None), wanted), err=True)


@app.command()
def inspect(
    recording: Recording,
    reader: Annotated[
        str, typer.Option(help="Reader; parameters from the first track that has it. Guessed by the files if left out.")
    ] = "",
    track: Annotated[str, typer.Option(help="Track whose reader and parameters to take instead.")] = "",
    frames: Annotated[int, typer.Option(min=1, help="Frames, or recordings, to read at most, evenly spread.")] = 200,
    output: Annotated[Path, typer.Option(help="Picture: radar over LiDAR from above, or spectrograms.")] = Path(
        "inspect.png"
    ),
) -> None:
    """Is a recording sane? Report, picture and warnings.

    Points, rates, stamp differences, limits, one ego velocity against all Doppler and its sign, radar over
    LiDAR; of micro-Doppler labels, channels, limits, offset and image: look at a recording before anything is
    trained on it. Warnings leave the status at 0.
    """
    from echoes.commands import guessing, inspection, recording_inspection, sources
    from echoes.readers.catalog import RECORDINGS

    if not reader and not track:
        reader, why = guessing.guess(recording)
        typer.echo(f"inspect: {why}", err=True)
    path = Path("params.yaml")
    name = sources.named(reader, track, path)
    source = sources.of_track(reader, name, path)
    if source.reader in RECORDINGS:
        layout = recording_inspection.layout(name, path)
        typer.echo(recording_inspection.inspect(recording, source, layout, frames, output))
        return
    typer.echo(inspection.inspect(recording, source, frames, output))


@app.command()
def calibrate(
    recording: Recording,
    scenario: Annotated[Path, typer.Option(help="Scenario file of a street, such as data/raw/radar/street.yaml.")],
    output: Annotated[Path, typer.Option(help="Scenario file to write.")],
    reader: Annotated[str, typer.Option(help="Reader; parameters from the first track that has it.")] = "",
    track: Annotated[str, typer.Option(help="Track whose reader and parameters to take instead.")] = "",
    frames: Annotated[int, typer.Option(min=1, help="Frames to read at most, evenly spread.")] = 100,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the output of an earlier run.")] = False,
) -> None:
    """Recording -> a street that its radar could have seen.

    Fits the radar of a simulated street to unlabelled frames, without LiDAR: field of view, Doppler, power, noise,
    ghosts and clutter, and how far radars differ. Tells what it could not fit. A minute or two.
    """
    from echoes.commands import calibrate as command
    from echoes.commands import sources

    source = sources.chosen("calibrate", reader, track, Path("params.yaml"))
    typer.echo(command.calibrate(recording, source, scenario, frames, output, overwrite))


@app.command()
def export(
    output: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write.")],
    track: Annotated[str, typer.Option(help="Trained track; for diffusers, of labelled spectrograms.")],
    to: Annotated[
        Literal["diffusers", "onnx", "torch"], typer.Option(help="What shall load it; torch: torch.export.")
    ] = "diffusers",
    model: Annotated[
        Literal["ldm", "cd"] | None,
        typer.Option(help="For diffusers: denoiser (ldm), or its 1- and 2-step distillation."),
    ] = None,
    precision: Annotated[
        Literal["float32", "int8"], typer.Option(help="For onnx; int8 is calibrated on training frames.")
    ] = "float32",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier export.")] = False,
) -> None:
    """Trained track -> a folder that another library loads.

    For diffusers (`pip install 'echoes[diffusers]'`): DiffusionPipeline.from_pretrained(DIR, trust_remote_code=True).
    For onnx (`echoes[onnx]`) and torch: the networks of one call in one file, and network.json, which tells the rest.
    """
    from echoes.commands import export as command

    if to == "diffusers":
        if precision != "float32":
            raise InputError(f"--precision: expected float32 with --to {to}, got {precision}")
        typer.echo(command.export(track, to, model or "ldm", output, overwrite))
        return
    if model == "ldm":
        raise InputError(f"--model: expected cd with --to {to}, which takes the networks of one call, got ldm")
    typer.echo(command.portable(track, to, precision, output, overwrite))


@app.command()
def results(
    markdown: Annotated[bool, typer.Option("--markdown", help="As tables for a document.")] = False,
    worst: Annotated[int, typer.Option(min=0, help="Only so many worst frames of each method, of clouds.")] = 0,
) -> None:
    """What was measured of every evaluated track."""
    from echoes.commands import results as command

    if worst:
        from echoes.commands import worst as frames

        typer.echo(frames.worst(Path("metrics"), Path("data"), worst), nl=False)
        return
    typer.echo(command.results(Path("metrics"), markdown))


@app.command()
def view(
    paths: Annotated[
        list[Path], typer.Argument(metavar="[CLOUDS] OUTPUT", help="Folder that enhance wrote; HTML file, or .rrd.")
    ],
    track: Annotated[str, typer.Option(help="Track whose test split is shown, without CLOUDS.")] = "",
    frames: Annotated[int, typer.Option(min=1, help="Frames at most, evenly spread; 100 are at most 10 MB.")] = 100,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a page of an earlier run.")] = False,
) -> None:
    """Frames to look at, in one HTML page.

    Radar, what was made of it and LiDAR in space, with a time line; or real spectrograms beside generated ones. The
    page needs no server and no network. An OUTPUT that ends in .rrd is a recording of Rerun (`echoes[rerun]`).
    """
    from echoes.commands import view as command

    if len(paths) > 2:
        raise InputError(f"view: expected [CLOUDS] OUTPUT, got {len(paths)} paths")
    *clouds, output = paths
    typer.echo(command.view(clouds[0] if clouds else None, track, output, frames, overwrite))


@app.command()
def report(
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="The HTML file.")],
    track: Annotated[str, typer.Option(help="Track of params.yaml, whatever of it was made so far.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a page of an earlier run.")] = False,
) -> None:
    """All that is known of a track, in one HTML page.

    Results with intervals, pictures, worst frames, parameters, training curves, provenance, sizes and seconds.
    """
    from echoes.commands import report as command

    typer.echo(command.report(track, output, Path(), overwrite))


@app.command()
def params(
    tracks: Annotated[
        list[str] | None, typer.Argument(metavar="[TRACK]...", help="Compared; one with what is committed.")
    ] = None,
    commit: Annotated[str, typer.Option(help="With params.yaml of this commit instead; HEAD for one track.")] = "",
) -> None:
    """The values in which tracks differ.

    A row for each key of params.yaml whose values differ, and a column for each track.
    """
    from echoes.commands import differences

    typer.echo(differences.differences(tracks or [], commit, Path("params.yaml")), nl=False)


@app.command()
def track(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the new track.")],
    like: Annotated[str, typer.Option(help="Track whose section is copied.")],
    reader: Annotated[str, typer.Option(help="Reader of its recordings.")],
) -> None:
    """Add a track to params.yaml, like another one.

    A copy of its section with another reader: keys that the reader has in common with it keep their values, the others
    are those of a track of that reader.
    """
    from echoes.commands import new_track

    typer.echo(new_track.add(name, like, reader, Path("params.yaml")))


@app.command()
def estimate(
    track: Annotated[str, typer.Option(help="Track of params.yaml; nothing of it need be there yet.")],
    memory: Annotated[str, typer.Option(help="Of a card, such as 24GB: what fits into it.")] = "",
    precision: Annotated[
        Literal["auto", "bfloat16", "float16", "float32"] | None,
        typer.Option(help="In place of that of params.yaml, as for a card that is not in this machine."),
    ] = None,
    timed: Annotated[
        bool | None, typer.Option("--time/--no-time", help="Make steps and time them; left out: where they are small.")
    ] = None,
) -> None:
    """Parameters, memory and time of trainings that have not begun.

    Goes through a step of each training with tensors that have shapes and no numbers, and adds up what is alive.
    """
    from echoes.commands import estimate as command

    typer.echo(command.estimate(track, memory, precision, timed, Path("params.yaml"), Path("data")))


@app.command()
def preset(
    card: Annotated[str, typer.Argument(metavar="CARD", help="Memory: 6GB, 8GB, 12GB, 16GB, 24GB or 48GB.")],
    track: Annotated[str, typer.Option(help="Track whose section takes its values.")],
) -> None:
    """Sizes and batches that a card can train, into params.yaml.

    The values of a file in presets/; all else in params.yaml stays as it is.
    """
    from echoes.commands import presets

    typer.echo(presets.write(card, track, Path("params.yaml"), Path("presets")))


@app.command()
def verify(
    model: Annotated[
        Path | None, typer.Argument(metavar="[MODEL]", help="Folder that `echoes pack` wrote, to check instead.")
    ] = None,
    track: Annotated[str | None, typer.Option(help="Track whose recordings and artifacts to check.")] = None,
) -> None:
    """Does all of a track, or of a packed model, belong together?

    Reads the recordings and every artifact up to evaluate.json and compares their content, their parents and the
    parameters of today with what each says of itself. A line for each; a status of 1 unless all match. Of a folder
    that `echoes pack` wrote: each file with its manifest.
    """
    from echoes.commands import packs
    from echoes.commands import verify as command

    if (model is None) == (track is None):
        raise InputError(f"verify: expected one of MODEL and --track, got {'both' if track else 'neither'}")
    whole = True
    for right, line in packs.verify(model) if model is not None else command.verify(str(track), Path()):
        whole = whole and right
        typer.echo(line)
    if not whole:
        raise typer.Exit(1)


@app.command()
def du(
    tracks: Annotated[list[str] | None, typer.Argument(metavar="[TRACK]...", help="All if left out.")] = None,
) -> None:
    """What tracks hold on disk, and what can be made anew.

    A row for each artifact, the recordings, metrics, logs and saved states of trainings: bytes and files, what of it
    lies in DVC's cache, the stage that makes it anew, and the seconds that a training took.
    """
    from echoes.commands import disk
    from echoes.folds import running

    cache = running.cache(Path()) if Path("dvc.lock").is_file() else None
    typer.echo(disk.du(tracks or [], Path(), cache), nl=False)


@app.command()
def info() -> None:
    """Versions, devices and threads, for a report of a defect.

    Tells no paths and no names.
    """
    from echoes.commands import info as command

    typer.echo(command.info())


def main() -> None:
    app()
