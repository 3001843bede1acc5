"""Which keys of a section have an effect by what is chosen beside them: rules as data, and what follows from them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Choice:
    """What keys hang on.

    at      dotted keys of the section where it is chosen; of a list, each entry counts, and () for none.
    values  that are told apart there.
    among   whether the keys have an effect where any of what is chosen is among `values`, or where any is not.
    keys    dotted keys of values or of whole sections.
    """

    at: tuple[str, ...]
    values: tuple[Any, ...]
    among: bool
    keys: tuple[str, ...]

    def reason(self, section: Values) -> str | None:
        """Why the keys have no effect in a section; None where they have one, or where nothing is chosen."""
        chosen = {key: value for key in self.at if (value := _found(section, key)) is not _NOTHING}
        entries = [entry for value in chosen.values() for entry in _entries(value)]
        if not entries or any((entry in self.values) == self.among for entry in entries):
            return None
        return " and ".join(f"{key} is {_word(value)}" for key, value in chosen.items())


def only(at: str, values: Sequence[Any], *keys: str) -> Choice:
    """The keys have an effect only where one of `values` is chosen."""
    return Choice((at,), tuple(values), True, keys)


def unless(at: str | Sequence[str], nothing: Any, *keys: str) -> Choice:
    """The keys have no effect where `nothing` is all that is chosen."""
    return Choice((at,) if isinstance(at, str) else tuple(at), (nothing,), False, keys)


def under(prefix: str, choices: Sequence[Choice]) -> tuple[Choice, ...]:
    """The same choices where their section is a key of another one."""
    deeper = lambda keys: tuple(f"{prefix}.{key}" for key in keys)
    return tuple(replace(choice, at=deeper(choice.at), keys=deeper(choice.keys)) for choice in choices)


def leaves(value: Any, path: str = "") -> dict[str, Any]:
    """Dotted key -> value, of a mapping of mappings; a list is one value."""
    if not isinstance(value, Mapping) or (path and not value):
        return {path: value}
    found: dict[str, Any] = {}
    for key, each in value.items():
        found |= leaves(each, f"{path}.{key}" if path else str(key))
    return found


def idle(section: Any, choices: Sequence[Choice]) -> dict[str, str]:
    """Dotted key -> why its value has no effect, of each such value of a section."""
    if not isinstance(section, Mapping):
        return {}
    keys = _idle_keys(section, choices)
    found = ((leaf, [key for key in _upwards(leaf) if key in keys]) for leaf in leaves(section))
    return {leaf: keys[above[0]] for leaf, above in found if above}


def in_force(p: Any) -> dict[str, Any]:
    """A dataclass as a mapping without the values that have no effect, by the `CHOICES` that its class tells."""
    return without_idle(asdict(p), choices_of(p))


def choices_of(p: Any) -> tuple[Choice, ...]:
    """The choices that the class of a section tells; none where it has none to make."""
    return getattr(type(p), "CHOICES", ())


def without_idle(section: Values, choices: Sequence[Choice]) -> dict[str, Any]:
    """A section without the keys whose values have no effect."""
    return _kept(section, set(_idle_keys(section, choices)), "")


def settled(section: Values, choices: Sequence[Choice], stands: Values) -> dict[str, Any]:
    """A section in which what has no effect has always the same value, so that nobody takes two that do the same for
    different ones. stands: that value, of each key that has one.
    """
    made = dict(section)
    for key in sorted(_idle_keys(section, choices), key=lambda key: -key.count(".")):  # a whole section last
        if key in stands:
            made = _with(made, key.split("."), stands[key])
    return made


class _Nothing:
    """In place of a value where there is none: null is one."""


_NOTHING = _Nothing()


def _found(section: Any, key: str) -> Any:
    for name in key.split("."):
        if not isinstance(section, Mapping) or name not in section:
            return _NOTHING
        section = section[name]
    return section


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _entries(value: Any) -> Sequence[Any]:
    return (value or [()]) if _is_list(value) else [value]


def _idle_keys(section: Values, choices: Sequence[Choice]) -> dict[str, str]:
    """Key, of a value or of a section, that the section has -> why it has no effect."""
    reasons = ((choice.keys, reason) for choice in choices if (reason := choice.reason(section)) is not None)
    return {key: reason for keys, reason in reasons for key in keys if _found(section, key) is not _NOTHING}


def _upwards(key: str) -> Iterator[str]:
    """The sections that a key lies in from the outermost one, and the key itself."""
    names = key.split(".")
    return (".".join(names[:count]) for count in range(1, len(names) + 1))


def _kept(section: Values, without: set[str], path: str) -> dict[str, Any]:
    kept = {key: value for key, value in section.items() if f"{path}{key}" not in without}
    return {
        key: _kept(value, without, f"{path}{key}.") if isinstance(value, Mapping) else value
        for key, value in kept.items()
    }


def _with(section: Values, names: Sequence[str], value: Any) -> dict[str, Any]:
    first, *others = names
    return {**section, first: _with(section[first], others, value) if others else value}


def _word(value: Any) -> str:
    if _is_list(value):
        return f"[{', '.join(map(_word, value))}]"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
