from echoes.models.conditions import unmirrored
from waves import pictures


def sampled(sampler, data, conditions, path):
    frames = data.frames("val")
    cond = conditions(frames, unmirrored(frames)).to(sampler.device)
    pictures.draw(sampler(cond, frames.tolist()).float().cpu().numpy(), path)
