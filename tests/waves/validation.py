from echoes.models import middles
from echoes.models.conditions import straight


def error(once, data, conditions):
    frames = data.frames("val")
    made = once(conditions(frames, straight(frames)).to(once.device), frames.tolist())
    return float(made.abs().mean())


def chosen(student, distilled, once, data, conditions):
    return {"middle": middles.candidates(student, distilled)[0]}
