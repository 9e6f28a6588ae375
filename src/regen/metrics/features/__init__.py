"""The spaces in which generated and real images are compared: a source is chosen by metrics/features=."""

from regen.metrics.features.auto import Auto
from regen.metrics.features.base import Source
from regen.metrics.features.classifier import Own
from regen.metrics.features.clip import CLIP
from regen.metrics.features.dinov2 import DINOv2
from regen.metrics.features.imagenet import ImageNet
from regen.metrics.features.inception import Inception
from regen.metrics.features.module import Module
from regen.metrics.features.torchvision_nets import Torchvision

__all__ = ["CLIP", "Auto", "DINOv2", "ImageNet", "Inception", "Module", "Own", "Source", "Torchvision"]
