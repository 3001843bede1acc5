"""Where an artifact came from: the header that every artifact carries, and the check of its parents."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from echoes.errors import InputError


@dataclass(frozen=True)
class Header:
    """What an artifact says of itself.

    kind      what it is: grids, vae, latents, ldm, cd, samples.
    params    the parameters that made it, and that rebuild what it holds.
    parents   kind -> identity of each artifact it was made from.
    content   further facts by name: axes, channels, statistics, threshold.
    identity  sha256 of its content and of all of the above; empty until it is written.
    """

    kind: str
    params: Mapping[str, Any]
    parents: Mapping[str, str]
    content: Mapping[str, Any] = field(default_factory=dict)
    identity: str = ""

    def text(self) -> str:
        """JSON with sorted keys, because the bytes of an artifact must repeat."""
        return json.dumps(vars(self), sort_keys=True, allow_nan=False)

    def sealed(self, content_digest: str) -> "Header":
        """The same header with its identity, from the digest of the artifact's content."""
        identity = sha256((content_digest + self.text()).encode()).hexdigest()
        return Header(self.kind, self.params, self.parents, self.content, identity)


def parse(text: str, kind: str, path: Path) -> Header:
    """Raises InputError, naming `path`, unless `text` is the header of an artifact of `kind`."""
    try:
        fields = json.loads(text)
        header = Header(**fields)
    except (ValueError, TypeError) as error:
        raise InputError(f"{path}: expected the header of an echoes artifact, got {text[:60]!r}") from error
    if header.kind != kind:
        raise InputError(f"{path}: expected an artifact of kind {kind}, got {header.kind}")
    return header


def require_parent(child: Path, header: Header, parent: Path, parent_header: Header) -> None:
    """Raises InputError unless `child` was made from `parent` as it lies on disk now."""
    made_from = header.parents.get(parent_header.kind, "nothing")
    if made_from != parent_header.identity:
        raise InputError(
            f"{child}: was made from {parent_header.kind} {made_from[:12]}, but {parent} is "
            f"{parent_header.identity[:12]}; run `dvc repro` to make them match"
        )
