"""Trained tracks as functions: what other programs import.

    from echoes.inference import Enhancer

The one package with names of its own, because users shall not need to know in which file a class lives. No stage
imports it, so that no stage depends on more files by it, and what it imports is what a call of the models needs.
"""

from echoes.inference.enhancer import Enhancer
from echoes.inference.generator import SpectrogramGenerator
from echoes.inference.loading import load
from echoes.inference.radar_generator import RadarGenerator
from echoes.rasters.sweeps import Sweep

__all__ = ["Enhancer", "RadarGenerator", "SpectrogramGenerator", "Sweep", "load"]
