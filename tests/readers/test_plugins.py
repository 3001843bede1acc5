"""Readers of other packages: found by their entry points, imported when asked for, and named where they are wrong."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from echoes import track_code
from echoes.errors import InputError
from echoes.readers import plugins
from echoes.readers.catalog import CLOUDS, READERS, RECORDINGS, family_of

MODULE = """
from echoes.readers.astyx import Source, index, read

FAMILY = "radar"
"""


def install(site: Path, package: str, version: str, points: str) -> None:
    """What pip leaves of a package that has these entry points."""
    folder = site / f"{package}.dist-info"
    folder.mkdir(exist_ok=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
    (folder / "entry_points.txt").write_text(f"[echoes.readers]\n{points}\n")
    plugins.installed.cache_clear()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of packages with one that brings the reader `sonar`."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sonar_of_others.py").write_text(MODULE)
    install(tmp_path, "others", "1.2", "sonar = sonar_of_others")
    yield tmp_path
    plugins.installed.cache_clear()
    sys.modules.pop("sonar_of_others", None)


def test_a_reader_is_found_by_its_name_and_imported_when_it_is_asked_for(site: Path) -> None:
    assert "vod" in READERS
    assert "sonar_of_others" not in sys.modules
    assert family_of("sonar", "mine.source.reader") == "radar"
    assert CLOUDS["sonar"].FAMILY == "radar"
    assert "sonar" in set(CLOUDS) - set(RECORDINGS)
    with pytest.raises(InputError, match=r"^mine\.source\.reader: expected one of simulated, .*, sonar, got 'sonor'$"):
        family_of("sonor", "mine.source.reader")


@pytest.mark.parametrize(
    ("name", "module", "message"),
    [
        ("vod", "sonar_of_others", "reader vod: expected one of that name, got those of echoes, more 3;"),
        ("sonar", "sonar_of_others", "reader sonar: .* got those of (others 1.2, more 3|more 3, others 1.2);"),
        ("lost", "nowhere_at_all", "reader lost of more 3: expected the module .* got ModuleNotFoundError: "),
        ("bare", "json", "reader bare of more 3: expected FAMILY, .* in json, got none of FAMILY, Source,"),
    ],
)
def test_what_is_no_reader_of_its_own_name_is_refused_by_its_package(
    site: Path, name: str, module: str, message: str
) -> None:
    install(site, "more", "3", f"{name} = {module}")
    with pytest.raises(InputError, match=f"^{message}"):
        family_of(name, "mine.source.reader")


def test_a_track_is_voxelized_anew_for_another_version_of_the_package(site: Path) -> None:
    told = []
    for version in ("1.2", "1.3"):
        install(site, "others", version, "sonar = sonar_of_others")
        track_code.write("mine", "sonar")
        places = {stage: Path("data", "mine", "code", f"{stage}.json") for stage in ("voxelize", "train_vae")}
        told.append({stage: json.loads(path.read_text()) for stage, path in places.items()})
    before, after = (set(each["voxelize"]) for each in told)
    assert after - before == {"others 1.3: sonar_of_others"}
    assert before - after == {"others 1.2: sonar_of_others"}
    assert "src/echoes/readers/astyx.py" in before & after
    assert told[0]["train_vae"] == told[1]["train_vae"]
    assert not any("sonar" in name for name in told[0]["train_vae"])
    assert not any("sonar" in path.name for path in track_code.every())
