"""Findings of a recording: the lines of a report, and what is not sane, by name."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Finding:
    """name: by which a track is stopped at it; text: what was found, with its numbers."""

    name: str
    text: str


@dataclass
class Findings:
    """(name, text) of each line of the report, and what is not sane; names: those that a finding may have."""

    names: Collection[str]
    lines: list[tuple[str, str]] = field(default_factory=list)
    found: list[Finding] = field(default_factory=list)

    def say(self, name: str, text: str) -> None:
        self.lines.append((name, text))

    def warn(self, name: str, text: str) -> None:
        assert name in self.names, name
        self.found.append(Finding(name, text))

    def text(self) -> str:
        width = max(len(name) for name, _ in self.lines)
        lines = [f"{name.ljust(width)}  {text}".rstrip() for name, text in self.lines]
        return "\n".join([*lines, "", *(warnings(self.found) or ["no warnings"])])


def warnings(found: Sequence[Finding]) -> list[str]:
    """A line for each finding, with its name behind it."""
    return [f"WARNING: {finding.text} [{finding.name}]" for finding in found]


def by_name(found: Sequence[Finding]) -> dict[str, str]:
    """Name -> what was found under it."""
    names = dict.fromkeys(finding.name for finding in found)
    return {name: "; ".join(finding.text for finding in found if finding.name == name) for name in names}
