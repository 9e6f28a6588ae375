"""The spaces in which generated and real images are compared: a source is chosen by metrics/features=."""

from regen.metrics.features.inception import Inception
from regen.metrics.features.module import Module
from regen.metrics.features.own import Own
from regen.metrics.features.source import Source
from regen.metrics.features.torchvision_nets import Torchvision

__all__ = ["Inception", "Module", "Own", "Source", "Torchvision"]
