"""Source and licence of each data set, for model cards."""

from dataclasses import dataclass

NOT_STATED = "not stated"


@dataclass(frozen=True)
class Facts:
    """Description, source and licence of a data set; `unit`: the plane's units per 1."""

    what: str
    source: str
    licence: str
    unit: float | None = None


UNKNOWN = Facts("a user's data set", NOT_STATED, NOT_STATED)
SOURCES = {  # by the _target_ of conf/data/*.yaml
    "regen.data.digits.digits": Facts(
        "1,797 handwritten digits, 8×8 grey: the test set of the UCI data set, as it comes with scikit-learn",
        "E. Alpaydin and C. Kaynak 1998, Optical Recognition of Handwritten Digits, "
        "<https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits>",
        "CC BY 4.0",
    ),
    "regen.data.torchvision_sets.mnist": Facts(
        "MNIST: 70,000 handwritten digits, 28×28 grey",
        "Y. LeCun, C. Cortes and C. J. C. Burges 1998, <http://yann.lecun.com/exdb/mnist/>",
        "CC BY-SA 3.0, copyright Yann LeCun and Corinna Cortes, as [Keras states it](https://keras.io/api/datasets/mnist/)",
    ),
    "regen.data.torchvision_sets.fashion_mnist": Facts(
        "Fashion-MNIST: 70,000 articles of clothing, 28×28 grey",
        "H. Xiao, K. Rasul and R. Vollgraf 2017, <https://github.com/zalandoresearch/fashion-mnist>",
        "MIT, copyright Zalando SE",
    ),
    "regen.data.torchvision_sets.cifar10": Facts(
        "CIFAR-10: 60,000 photographs of ten classes, 32×32 colour",
        "A. Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images, "
        "<https://www.cs.toronto.edu/~kriz/cifar.html>",
        f"{NOT_STATED} by its author",
    ),
    "regen.data.image_folder.folder": Facts("a user's folder of images", NOT_STATED, NOT_STATED),
    "regen.data.array.array": Facts("a user's array of images", NOT_STATED, NOT_STATED),
    "regen.data.shapes.shapes": Facts(
        "shapes: a square, an ellipse or a heart in six scales, eight rotations, 64 places and six colours",
        "drawn by regen (after dSprites, L. Matthey et al. 2017)",
        "MIT, as regen",
    ),
    "regen.data.mixtures.ring": Facts(
        "points of 8 Gaussians on a circle of radius 1, standard deviation 0.01, in the plane",
        "drawn by regen (a benchmark of Lin et al. 2018, PacGAN)",
        "MIT, as regen",
        unit=1.1,
    ),
    "regen.data.mixtures.grid": Facts(
        "points of 25 Gaussians at {-4, -2, 0, 2, 4}², standard deviation 0.05, in the plane",
        "drawn by regen (a benchmark of Lin et al. 2018, PacGAN)",
        "MIT, as regen",
        unit=4.5,
    ),
}


def source_of(target: str) -> Facts:
    """Return the facts of the data set with this _target_."""
    return SOURCES.get(target, UNKNOWN)
