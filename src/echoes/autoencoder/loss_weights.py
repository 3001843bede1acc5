"""The section `<track>.vae.loss`: what the loss of an autoencoder is made of."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from echoes import params
from echoes.autoencoder.occupancy import OccupancyTerms
from echoes.autoencoder.vq import CodebookTraining
from echoes.errors import InputError
from echoes.training.schedule import Schedule


@dataclass(frozen=True)
class SeenByAutoencoder:
    """weight of the difference that an autoencoder of an earlier run sees, 0 for none; vae: its vae.safetensors."""

    weight: float
    vae: str

    def __post_init__(self) -> None:
        if self.weight < 0:
            raise InputError(f"weight: expected 0 or more, got {self.weight}")
        if self.weight and not self.vae:
            raise InputError("vae: expected the path of a vae.safetensors, as weight is not 0, got none")


@dataclass(frozen=True)
class LossWeights:
    """measured     weights of what was measured, by channel of the target, reached after half of the training.
    unobserved   weight of a cell no ray reached: a codec repeats it as empty, it is no evidence.
    kl           weight of the mean divergence per latent, where the bottleneck is Gaussian.
    vq           how a codebook is trained, where it is one.
    occupancy    what the loss of the occupancy weighs and adds.
    perceptual   in the features of a trained autoencoder.

    Power fluctuates from return to return; what it is weighed with is taken from the structure."""

    RENAMED: ClassVar = {name: f"measured.{name}" for name in ("reflectivity", "doppler", "power")}

    kind: Literal["occupancy"]
    measured: dict[str, float]
    unobserved: float
    kl: float
    vq: CodebookTraining
    occupancy: OccupancyTerms
    perceptual: SeenByAutoencoder


@dataclass(frozen=True)
class EquivarianceConfig:
    """weight of the term, 0 for none, and the scales of which each step draws one."""

    weight: float
    scales: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.weight < 0:
            raise InputError(f"weight: expected 0 or more, got {self.weight}")
        if not self.scales or not all(0 < scale < 1 for scale in self.scales):
            raise InputError(f"scales: expected numbers between 0 and 1, got {list(self.scales)}")


@dataclass(frozen=True)
class TeacherTraining(Schedule):
    """width of the classifier, and how it is trained."""

    width: int

    def __post_init__(self) -> None:
        super().__post_init__()
        params.require_counts(width=self.width)


@dataclass(frozen=True)
class TeacherFile:
    """A vision transformer in the layout of timm or DINOv2, as safetensors.

    path       of the file; empty where none is used.
    heads      of its attention, which no tensor tells.
    places     patches along each axis: a spectrogram is scaled to as many.
    mean, std  of the colours, 0..1, of the pictures that it was trained on.
    """

    path: str
    heads: int
    places: tuple[int, int]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __post_init__(self) -> None:
        params.require_counts(heads=self.heads)
        if min(self.places) < 1:
            raise InputError(f"places: expected at least 1 along each axis, got {list(self.places)}")
        if min(self.std) <= 0:
            raise InputError(f"std: expected more than 0, got {list(self.std)}")


@dataclass(frozen=True)
class AlignmentConfig:
    """weight relative to the reconstruction, 0 for none; margins below which a difference costs nothing.

    teacher  trained: on the labels of the train split; file: by others. The perceptual loss has the same one.
    """

    weight: float
    distance_margin: float
    cosine_margin: float
    teacher: Literal["trained", "file"]
    trained: TeacherTraining
    file: TeacherFile

    def __post_init__(self) -> None:
        for name in ("weight", "distance_margin", "cosine_margin"):
            if getattr(self, name) < 0:
                raise InputError(f"{name}: expected 0 or more, got {getattr(self, name)}")


@dataclass(frozen=True)
class SpectrogramLoss:
    """Weights: l1 of the mean absolute error, ssim of 1 - SSIM, structure of the error of the gradients, perceptual of
    the difference that the teacher of the alignment sees, kl of the mean divergence per latent, where the bottleneck is
    Gaussian; how a codebook is trained, where it is one (vq); and the terms that shape the latents."""

    kind: Literal["spectrogram"]
    l1: float
    ssim: float
    structure: float
    perceptual: float
    kl: float
    vq: CodebookTraining
    equivariance: EquivarianceConfig
    alignment: AlignmentConfig

    def __post_init__(self) -> None:
        for name in ("l1", "ssim", "structure", "perceptual", "kl"):
            if getattr(self, name) < 0:
                raise InputError(f"{name}: expected 0 or more, got {getattr(self, name)}")
