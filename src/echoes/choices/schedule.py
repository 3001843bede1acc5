"""What has an effect in the section `schedule` of a training stage by its choices."""

from echoes.choices.rules import unless

SCHEDULE = (unless("validation.every", 0, "validation.patience", "validation.keep"),)
