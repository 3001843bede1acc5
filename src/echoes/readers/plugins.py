"""Readers that other installed packages bring: modules named by entry points of the group `echoes.readers`.

    [project.entry-points."echoes.readers"]
    sonar = "my_radar.sonar"

makes `source.reader: sonar` the module my_radar.sonar. It has what a reader of echoes has (see frames.py and
recordings.py), and `FAMILY`, the family that it reads for. It is imported when its name is asked for.
"""

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from types import ModuleType

from echoes.errors import InputError

GROUP = "echoes.readers"
NEEDED = ("FAMILY", "Source", "index", "read")


@dataclass(frozen=True)
class Plugin:
    """A reader. module: as it is imported; package: the name and the version of what brings it."""

    name: str
    module: str
    package: str

    def load(self) -> ModuleType:
        """Raises InputError, naming the package, for a module that cannot be imported or is no reader."""
        try:
            module = import_module(self.module)
        except Exception as error:  # whatever the code of others raises
            got = f"{type(error).__name__}: {' '.join(str(error).split())}"
            raise self.refused(f"expected the module {self.module} of the reader {self.name}, got {got}") from error
        if missing := [name for name in NEEDED if not hasattr(module, name)]:
            raise self.refused(f"expected {', '.join(NEEDED)} in {self.module}, got none of {', '.join(missing)}")
        return module

    def refused(self, told: str) -> InputError:
        return InputError(f"reader {self.name} of {self.package}: {told}")


@cache
def installed() -> dict[str, tuple[Plugin, ...]]:
    """Name -> the readers of that name, of all installed packages."""
    found: dict[str, tuple[Plugin, ...]] = {}
    for point in entry_points(group=GROUP):
        package = "a package" if point.dist is None else f"{point.dist.name} {point.dist.version}"
        found[point.name] = (*found.get(point.name, ()), Plugin(point.name, point.value, package))
    return found


def find(name: str, ours: bool) -> Plugin | None:
    """The reader of that name; ours: whether echoes has one, too. Raises InputError where two have the name."""
    plugins = installed().get(name, ())
    if len(plugins) > (0 if ours else 1):
        owners = ", ".join([*(["echoes"] if ours else []), *(plugin.package for plugin in plugins)])
        raise InputError(f"reader {name}: expected one of that name, got those of {owners}; uninstall all but one")
    return plugins[0] if plugins else None
