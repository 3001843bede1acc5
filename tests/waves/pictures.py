import numpy as np
import torch

from echoes.reports import thumbnails
from echoes.reports.thumbnails import Row


@torch.no_grad()
def reconstructed(data, vae, path):
    clean = torch.from_numpy(data.target_batch(data.frames("val")))
    draw(vae.decode(vae.encode(clean).mean).numpy(), path)


def draw(waves, path):
    """(n, 1, T) waves, a line of a picture each."""
    grey = (127.5 * (1 + waves[:, 0].clip(-1, 1))).astype(np.uint8)
    thumbnails.sheet(["waves"], [Row("", [np.repeat(grey[:, :, None], 3, axis=2)])], path)
