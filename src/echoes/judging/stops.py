"""What is found of the recordings of a track -> whether the track goes on."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from echoes.errors import InputError


@dataclass(frozen=True)
class Inspect:
    """The section `<track>.inspect`.

    stop_at  findings at which voxelize stops, by the names that it and `echoes inspect` put behind their warnings; the
             other ones are told, and stand in its metrics.
    """

    stop_at: tuple[str, ...]

    def require_known(self, names: Collection[str], section: str) -> None:
        """Raises InputError for a finding that is none of `names`."""
        for name in self.stop_at:
            if name not in names:
                known = f"some of {', '.join(names)}" if names else "none, as of such recordings nothing is found"
                raise InputError(f"{section}.stop_at: expected {known}, got {name}")

    def require_sane(self, found: Mapping[str, str], section: str) -> None:
        """Raises InputError where one was found (name -> text) that stops the track."""
        if stopping := [f"{name} ({found[name]})" for name in self.stop_at if name in found]:
            told = f"{section}.stop_at: voxelize stops at {'; '.join(stopping)}"
            raise InputError(f"{told}; mend the section source, or take the name out of the list")
