"""Text on the regularizer sweep in Markdown: a section for each regularizer's page, and the page of all results."""

import statistics
from collections import Counter
from collections.abc import Container, Sequence

from regen.comparison.paired_difference import Difference
from regen.report.sweep_results import NONE, Setting, Sweep

# Models of the sweep: their names in a sentence, and the headings of their tables
MODELS = {
    "gan": ("the default DCGAN", "GANs"),
    "conditional": ("the default conditional DCGAN", "Conditional GANs"),
    "vae": ("the default VAE", "VAEs"),
    "flow": ("the default flow", "Flows"),
}
COLUMNS = ("regularizer", "seeds", "`val/generalization`", "difference", "95 % interval", "copies", "diagnosis", "time")
INTRODUCTION = """# Sweep of all regularizers

Every regularizer at its default strength, compared with the same model without it: {images} digits of 16×16 pixels,
{iterations:,} iterations, on a CPU. A regularizer of codes that supplements `kl` is compared with `kl` alone.

```
python benchmarks/regularizer_sweep.py train seed={seeds}
python benchmarks/regularizer_sweep.py time
python benchmarks/regularizer_sweep.py collect
make table
```

The first command trains the runs, and continues where it was interrupted: the column of seeds says how many runs of each
setting there are so far. `python benchmarks/regularizer_sweep.py commands` prints the commands of `src/train.py`. The others
measure the time of an iteration, write `docs/regularizer_sweep.yaml`, and write this page from it.

## How to read it

**It is not a ranking of regularizers.** One data set, one network for each model, one strength, short runs. A default
strength comes from its source, often for other images, losses and networks; a bad result here often is a bad strength for
digits. Choose a strength on your data:

```
python src/choose.py regularizer=r1
```

- **`val/generalization`** is the [skill](metrics.md) of samples that are not memorized: 1 is unseen real images, 0 a Gaussian
  of the pixels.
- **difference** is paired: a seed gives both runs the same initial weights, batches and latents. A row with one seed is
  compared with the run of `none` that has this seed, and not with the mean in the row of `none`. ± is one standard error
  over seeds. It covers the randomness of training. It does not cover other training images, or other held-out images: all
  runs share both.
- **95 % interval** is Student's t with one degree of freedom less than there are seeds. * marks intervals without 0.
  {chance}
- **seeds** is the number of runs. A single pair has no standard error. As a scale, √2 times the standard deviation of
  `none` over its seeds is the spread of a difference between two runs that differ in their seed only:
  {noise}.
- **copies** is the fraction of samples that are copies of training images, less that of held-out images.
- **diagnosis** is the [diagnosis](verdicts.md) of the runs; numbers of runs are given where they differ.
- **time** is the CPU time of an iteration as a multiple of that without the regularizer, the median of alternating
  turns; a table without this column has not been timed.
"""


def section(sweep: Sweep, name: str) -> str:
    """Return the section of a regularizer's page; "" if the sweep does not have it."""
    setting = sweep.of(name)
    if setting is None or setting.reference is None:
        return ""
    seeds = len(setting.diagnoses)
    start = f"On {sweep.images} digits with {MODELS[setting.model][0]}, {sweep.iterations:,} iterations and "
    start += f"{seeds} seed{'s' * (seeds != 1)}, "
    sentences = [
        start + (_comparison(setting) if setting.values else "no run finished") + ".",
        f"Diagnosis: {_diagnoses(setting)} ({_without(setting)}: {_diagnoses(setting.reference, setting.diagnoses)}).",
        _copies_sentence(setting),
        f"An iteration takes {setting.time:.2f} times as long." if setting.time else "",
        "This is one data set and one strength: [all results](../regularizer_sweep.md).",
    ]
    return "## In our sweep\n\n" + " ".join(filter(None, sentences))


def overview(sweep: Sweep, names: Sequence[str]) -> str:
    """Return the page of all results: for each model the reference, then its regularizers, largest difference first.

    names   all regularizers; the page lists those that the sweep does not have
    """
    seeds, parts = ",".join(map(str, sweep.seeds)), list[str]()
    sizes = {"images": sweep.images, "iterations": sweep.iterations}
    parts.append(INTRODUCTION.format(**sizes, seeds=seeds, chance=_chance(sweep), noise=_noise(sweep)))
    for model, (_, heading) in MODELS.items():
        settings = sorted((setting for setting in sweep.settings if setting.model == model), key=_rank)
        if settings:
            end = len(COLUMNS) - (not any(setting.time for setting in settings))  # no column of times without any
            rows = [row[:end] for row in ([*COLUMNS], ["---"] * len(COLUMNS), *map(_cells, settings))]
            parts.append("\n".join([f"## {heading}", "", *(f"| {' | '.join(row)} |" for row in rows), ""]))
    if missing := [f"`{name}`" for name in names if not sweep.of(name)]:
        parts.append(f"## Without results\n\nThese were not trained: {', '.join(missing)}.\n")
    return "\n".join(parts)


def _chance(sweep: Sweep) -> str:
    compared = [setting for setting in sweep.settings if setting.difference.pairs > 1]
    if not compared:
        return "One seed has none."
    marked = sum(not setting.difference.is_chance for setting in compared)
    return (
        f"Of {len(compared)} difference{'' if len(compared) == 1 else 's'}, {marked} ha{'s' if marked == 1 else 've'} such an "
        f"interval, and chance alone would mark about {len(compared) / 20:.1g}. The median standard "
        f"error of a difference is {sweep.typical_error:.2f}."
    )


def _noise(sweep: Sweep) -> str:
    """Return the scales of models of which the reference has several seeds: "0.14 for GANs (0.8, 0.7)"."""
    scales = {setting.model: setting for setting in sweep.settings if len(setting.names) == 1 and setting.noise > 0}
    texts = []
    for model, setting in scales.items():
        values = setting.reference.values.values() if setting.reference else ()
        listed = ", ".join(f"{value:.2f}" for value in values).replace("-", "−")
        texts.append(f"{setting.noise:.2f} for {MODELS[model][1]} ({listed})")
    return ", ".join(texts) or "not measured, since `none` has one seed"


def _comparison(setting: Setting) -> str:
    mean, reference = setting.mean, setting.reference_mean
    text = f"`val/generalization` is {_with_error(mean.mean, mean.error)} "
    text += f"instead of {_with_error(reference.mean, reference.error)} {_without(setting)}"
    if not setting.difference.pairs > 1:
        noise = f"; seeds alone change the difference of two runs by about {setting.noise:.2f}" * (setting.noise > 0)
        return f"{text} (difference {_difference(setting)}, a single pair without a standard error{noise})"
    chance = "chance can explain it" if setting.difference.is_chance else "more than chance explains"
    return f"{text} (difference {_difference(setting)}, 95 % interval {_interval(setting.difference)}: {chance})"


def _without(setting: Setting) -> str:
    return f"with {_typed(setting.names[:-1])} alone" if setting.names[1:] else "without it"


def _difference(setting: Setting) -> str:
    return _with_error(setting.difference.mean, setting.difference_error, sign="+")


def _with_error(value: float, error: float, sign: str = "") -> str:
    """Format a value and its standard error with two decimals; an error of nan is left out."""
    text = f"{value:{sign}.2f}" + (f" ± {error:.2f}" if error == error else "")
    return text.replace("-", "−")


def _interval(difference: Difference) -> str:
    low, high = difference.mean - difference.half, difference.mean + difference.half
    return f"{low:.2f} to {high:.2f}".replace("-", "−")


def _copies(setting: Setting) -> str:
    if not setting.copies:
        return "–"
    fraction = max(statistics.fmean(setting.copies.values()), 0.0)
    return f"{100 * fraction:.1f} %" if fraction >= 0.0005 else "0"


def _copies_sentence(setting: Setting) -> str:
    text = _copies(setting)
    return {"–": "", "0": "No samples are copies."}.get(text, f"{text} of the samples are copies of training images.")


def _diagnoses(setting: Setting, seeds: Container[int] | None = None) -> str:
    """Format the diagnoses of all runs, or of those with these seeds."""
    kinds = [kind for seed, kind in setting.diagnoses.items() if seeds is None or seed in seeds]
    counts = Counter(kinds).most_common()
    return (kinds or ["unknown"])[0] if len(counts) < 2 else ", ".join(f"{n} {kind}" for kind, n in counts)


def _cells(setting: Setting) -> list[str]:
    name = setting.names[-1] if setting.names else NONE
    link = f"[`{name}`](regularizers/{name}.md)" if setting.names else _typed(())
    cells = [" + ".join([*(f"`{name}`" for name in setting.names[:-1]), link])]
    difference = setting.difference
    cells += [f"{len(setting.diagnoses)}"]
    cells += [_with_error(setting.mean.mean, setting.mean.error) if setting.values else "–"]
    cells += [_difference(setting) if difference.mean == difference.mean else "–"]
    cells += [_interval(difference) + "*" * (not difference.is_chance) if difference.pairs > 1 else "–"]
    cells += [_copies(setting), _diagnoses(setting), f"{setting.time:.2f}" if setting.time else "–"]
    return cells


def _rank(setting: Setting) -> tuple[bool, bool, float]:
    """Return the sort key: the reference, then differences from largest to smallest, then settings without one."""
    mean = setting.difference.mean
    return bool(setting.names), mean != mean, 0.0 if mean != mean else -mean


def _typed(names: Sequence[str]) -> str:
    return " + ".join(f"`{name}`" for name in names) or f"`{NONE}`"
