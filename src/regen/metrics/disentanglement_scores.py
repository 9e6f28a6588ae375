"""Scores of the agreement of codes with factors: MIG, DCI and SAP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from regen.utils.randomness import key, permutation

if TYPE_CHECKING:
    from sklearn.base import ClassifierMixin

BINS = 20  # of a code's range (Locatello et al. 2019)
TREES, FEWEST_ROWS = 20, 10  # of a forest: its trees, and the images in a leaf; smaller leaves would learn noise
SEED = key("disentanglement") % 2**32


def mig(codes: Tensor, factors: Tensor) -> float:
    """The mutual information gap of codes (N, Z) and factors (N, F), integers (Chen et al. 2018, eq. 6):

        mean over factors v of (I(z_a; v) - I(z_b; v)) / H(v), z_a and z_b the two numbers that know most of v

    1 if each factor is predicted by exactly one latent dimension. Information is counted with each z in 20 bins of equal width
    from its least to its largest value, as by Locatello et al. 2019 (Chen et al. integrate over q(z|x)); counting adds up to
    about 19 (K - 1) / 2N nats to each, K the factor's values. A factor that does not vary is left out, here as in `dci` and
    `sap`.
    """
    return float(np.mean([_lead(shares.tolist(), none=0.0) for shares in known(codes, factors).T]))


def known(codes: Tensor, factors: Tensor) -> Tensor:
    """(Z, F') I(z; v) / H(v), the share of each varying factor's entropy that each latent dimension knows: see `mig`."""
    labels = _varying(factors)
    bins = [binned(code) for code in codes.T]
    shares = [[mutual_information(one, v) / mutual_information(v, v) for v in labels] for one in bins]
    return torch.tensor(shares, dtype=torch.float64).view(len(bins), len(labels))


def mutual_information(one: Tensor, other: Tensor) -> float:
    """I(one; other) in nats of the shares of pairs of integers (N,) and (N,), none negative; with itself, the entropy."""
    columns = int(other.max()) + 1
    pairs = (one * columns + other).bincount(minlength=(int(one.max()) + 1) * columns).view(-1, columns).double()
    together = pairs / len(one)
    apart = together.sum(1, keepdim=True) * together.sum(0)
    return float((torch.special.xlogy(together, together) - torch.special.xlogy(together, apart)).sum())


def binned(code: Tensor) -> Tensor:
    """(N,) numbers -> the bins (N,) of 20 in which they lie, all 0 of a code that does not vary."""
    code = code.double()
    width = (code.max() - code.min()) / BINS
    return ((code - code.min()) / width).long().clamp(max=BINS - 1) if width > 0 else torch.zeros(len(code)).long()


def dci(codes: Tensor, factors: Tensor) -> dict[str, float]:
    """Disentanglement, completeness and informativeness of codes (N, Z) and factors (N, F) (Eastwood and Williams 2018).

    With R (Z, F) the importance of each latent dimension in a random forest that predicts a factor from all of them:
        dci_disentanglement     Σ_z w_z (1 - H(R_z / Σ R_z) / log F), w_z = Σ R_z / Σ R: each dimension predicts one factor only
        dci_completeness        mean over factors of 1 - H(R_f / Σ R_f) / log Z: each factor is predicted by one dimension only
        dci_informativeness     the share of right answers, mean over factors; by chance 1 / K, K the factor's values
    The forest learns from one half of the images and is asked about the other. (Eastwood and Williams also report errors of a
    lasso; Locatello et al. 2019 take boosted trees and answers, as here, and weigh completeness.)
    """
    learn, ask = halves(len(codes))
    inputs, importance, right = codes.float().numpy(), [], []
    for labels in _varying(factors):
        forest = _forest().fit(inputs[learn], labels[learn].numpy())
        importance.append(forest.feature_importances_)
        right.append(forest.score(inputs[ask], labels[ask].numpy()))
    found = torch.from_numpy(np.stack(importance, axis=1))
    weights = found.sum(1) / found.sum().clamp_min(1e-300)
    return {
        "dci_disentanglement": float((weights * concentration(found)).sum()),
        "dci_completeness": float(concentration(found.T).mean()),
        "dci_informativeness": float(np.mean(right)),
    }


def concentration(importance: Tensor) -> Tensor:
    """(A, B), none negative -> (A,) 1 - H(row / Σ row) / log B: 1 of a row with one entry, 0 of equal ones and of none."""
    shares = importance / importance.sum(1, keepdim=True).clamp_min(1e-300)
    uneven = 1 + torch.special.xlogy(shares, shares).sum(1) / np.log(max(2, importance.shape[1]))
    return torch.where(importance.sum(1) > 0, uneven, 0.0)


def sap(codes: Tensor, factors: Tensor) -> float:
    """The separated attribute predictability of codes (N, Z) and factors (N, F) (Kumar et al. 2018, section 3):

        mean over factors v of S_a - S_b, the accuracies with which the two best dimensions predict v, each alone, by thresholds

    K - 1 thresholds for the K values of a factor, found greedily (a tree with K leaves) for balanced accuracy on one half of
    the images, which is then measured on the other. So 1 - 1 / K is the most, if one dimension predicts and the others guess (a
    dimension worse than guessing counts as guessing). All factors are taken for classes; Locatello et al. 2019 take linear
    support vector machines for thresholds, of which none finds a class between two others.
    """
    learn, ask = halves(len(codes))
    leads = []
    for labels in _varying(factors):
        accuracies = [_balanced(code[:, None].float(), labels, learn, ask) for code in codes.T]
        leads.append(_lead(accuracies, none=1 / (int(labels.max()) + 1)))
    return float(np.mean(leads))


def _balanced(code: Tensor, labels: Tensor, learn: Tensor, ask: Tensor) -> float:
    """Return how often thresholds on the code (N, 1) predict a label, mean over labels."""
    from sklearn.tree import DecisionTreeClassifier

    count = int(labels.max()) + 1
    tree = DecisionTreeClassifier(max_leaf_nodes=count, class_weight="balanced", random_state=SEED)
    said = torch.from_numpy(tree.fit(code[learn].numpy(), labels[learn].numpy()).predict(code[ask].numpy()))
    asked = labels[ask]
    right, of_each = (some.bincount(minlength=count).double() for some in (asked[said == asked], asked))
    return float((right / of_each)[of_each > 0].mean())


def _forest() -> ClassifierMixin:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(TREES, min_samples_leaf=FEWEST_ROWS, max_features=None, random_state=SEED)


def _lead(values: list[float], none: float) -> float:
    """Return the excess of the largest over the second; `none` is the value of a dimension that knows nothing."""
    first, second = sorted([*values, none, none])[:-3:-1]
    return first - second


def halves(n: int) -> tuple[Tensor, Tensor]:
    """Two index tensors that cut 0..n-1 in a fixed order: to learn from, and to ask about."""
    learn, ask = permutation(n, "disentanglement").tensor_split(2)
    return learn, ask


def _varying(factors: Tensor) -> list[Tensor]:
    """Return the numbers (N,) 0..K-1 of the K values of each factor that varies."""
    return [column.unique(return_inverse=True)[1] for column in factors.T if varies(column)]


def varies(factor: Tensor) -> bool:
    """Return whether a factor (N,) has more than one value."""
    return bool((factor != factor[0]).any())
