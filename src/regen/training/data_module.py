"""Lightning data module of the training stream."""

from typing import cast

from lightning.pytorch import LightningDataModule, Trainer

from regen.data.batches import Chunks, Stream
from regen.data.images import Images
from regen.models.base import Model


class StreamModule(LightningDataModule):
    """Training stream from the model's iteration to the last."""

    def __init__(self, data: Images, model: Model, last: int, stops: tuple[int, ...]) -> None:
        super().__init__()
        self.data, self.model, self.last, self.stops = data, model, last, stops

    def train_dataloader(self) -> Chunks:
        data, trainer = self.data, cast(Trainer, self.trainer)  # which calls this method
        stream = Stream(
            len(data.train),
            data.batch_size,
            self.model.n_critic,
            self.model.seed,
            mirror=data.mirror,
            rank=trainer.global_rank,
            world=trainer.world_size,
        )
        split = data.train if data.workers else data.train.to(trainer.strategy.root_device)
        return Chunks(split, stream, self.model.iteration, self.last, self.stops, data.workers)
