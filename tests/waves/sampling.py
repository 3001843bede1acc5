from dataclasses import asdict

import numpy as np
import torch

from echoes.models import sampler
from echoes.provenance import Header


class Sampling:
    def __init__(self, trained, data, p, frame_map):
        self._trained, self._p, self._samplers = trained, p, trained.samplers(p)
        self._numbers, self._seconds = np.arange(p.frames), {}
        self._cond = torch.from_numpy(data.labels(data.frames("test")[:1].repeat(p.frames)))

    def write(self, writer):
        for name, one in self._samplers.items():
            made, self._seconds[name] = sampler.timed(one, self._cond, self._numbers.tolist())
            writer.append(name, made.cpu().numpy().astype(np.float32))
        parents = {**self._trained.header.parents, "cd": self._trained.header.identity}
        writer.seal(Header("samples", asdict(self._p), parents, {"methods": list(self._samplers)}))

    def timings(self):
        return {name: {"latency_ms": 1000 * s, "calls": 1} for name, s in self._seconds.items()}
