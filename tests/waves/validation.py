from echoes.models import second_step
from echoes.models.conditions import unmirrored


def error(once, data, conditions):
    frames = data.frames("val")
    made = once(conditions(frames, unmirrored(frames)).to(once.device), frames.tolist())
    return float(made.abs().mean())


def calibrate(student, distilled, once, data, conditions):
    return {"second_sigma": second_step.candidates(student, distilled)[0]}
