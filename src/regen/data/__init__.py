"""Data: what the config group `data` builds, and the stream of batches that training reads from it."""

from regen.data.batches import Chunk, Chunks, Stream
from regen.data.images import Images
from regen.data.split import Files, Split, as_float

__all__ = ["Chunk", "Chunks", "Files", "Images", "Split", "Stream", "as_float"]
