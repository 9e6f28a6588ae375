"""Points are their own features."""

import torch

from regen.data.mixtures import grid
from regen.metrics.features import Own


def test_features_of_points_are_coordinates_in_units_of_the_plane(tmp_path):
    use = {"batch_size": 2, "workers": 0, "subset": None, "folds": None, "fold": None, "monitor": "val/fd"}
    data = grid(train=500, validation=100, test=100, **use)
    net = Own().load(data, tmp_path, "cpu")
    points = net(data.test.images)
    assert points.equal(data.to_plane(data.test.images))
    off_mode = points - 2 * (points / 2).round()  # the modes lie on even numbers
    assert off_mode.std() < 1.2 * data.std
    assert not [*tmp_path.iterdir()]
    assert net(torch.ones(1, 2, 1, 1)).tolist() == [[data.scale, data.scale]]
