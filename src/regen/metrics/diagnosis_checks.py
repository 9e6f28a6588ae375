"""The questions of a diagnosis: memorization, collapse, dropped modes and underfitting, with their thresholds."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# Each says how large an effect has to be to be called by its name; an effect also has to be beyond chance.
COPIED = 0.01  # memorizes: the lower bound of the share of copies beyond that of held-out images
ATTRACTED = 0.1  # memorizes: the share of samples attracted to training images, if C_T is beyond chance as well
OPEN = 0.1  # of the upper bound of the share of copies: above, memorization cannot be ruled out
DUPLICATED = 0.25  # of held-out images that are copies of training images themselves: above, copies cannot be counted
APART = 0.1  # collapsed: generated images have less than this part of the feature variance of real ones
REPEATED = 0.5  # collapsed: the share of samples that repeat another one, beyond that of held-out images
FOUND = 0.5  # collapsed: less than this share of a mixture's modes
SKILLED = 0.5  # underfits: the skill is lower
EXPLAINED = 0.5  # drops modes: on the modes that are drawn, the skill lacks less than this part of what it lacks in all
SLIGHT = 0.05  # drops modes: or the skill lacks no more than this in all
NEAR = 0.5  # underfits: less than this part of the share of real points near a mode
CHANCE, CONFIDENT = 3, 2  # standard errors: of an effect, and of an interval that decides a question

Figures = Mapping[str, float]


@dataclass(frozen=True)
class Answer:
    """The answer to one question: yes, no, or None if the data do not suffice; what is said if it decides the diagnosis."""

    is_so: bool | None
    text: str = ""
    since: int | None = None


def check_memorization(last: Figures) -> Answer:
    if "gap/copies" not in last:
        return Answer(None, "memorization was not measured (type metrics=[…,memorization])")
    share, low, high, real = (last[name] for name in ("gap/copies", "gap/copies_low", "gap/copies_high", "real/copies"))
    if real > DUPLICATED:
        return Answer(
            None,
            f"{real:.0%} of the held-out images are copies of training images themselves, so that copies cannot be counted: "
            "remove duplicates from the data",
        )
    interval = f"{max(low, 0):.1%} to {min(high, 1):.1%}"
    if low > COPIED:
        return Answer(True, f"{share:.0%} of the samples are copies of training images (95% interval {interval})")
    if attracted := _check_attraction(last):
        return attracted
    if high > OPEN:
        return Answer(
            None, f"up to {min(high, 1):.0%} of the samples may be copies: there are too few samples to decide"
        )
    if share > COPIED:
        return Answer(
            None,
            f"{share:.1%} of the samples look like copies of training images, but the 95% interval is {interval}, "
            "because there are few held-out images to compare with",
        )
    return Answer(False)


def _check_attraction(last: Figures) -> Answer | None:
    """Return whether samples are attracted to training images, None if they are not."""
    attraction, error, ct = last["gap/attraction"], last["gap/attraction_se"], last["gap/ct"]
    if ct >= -CHANCE:
        return None
    if attraction > max(ATTRACTED, CHANCE * error):
        return Answer(
            True,
            f"{attraction:.0%} ± {error:.0%} more of the samples than chance explains have a training image for their nearest "
            f"real image, and they are nearer to training images than held-out ones are (C_T {ct:.1f})",
        )
    if attraction > max(ATTRACTED, CONFIDENT * error):
        return Answer(
            None,
            f"samples are nearer to training images than held-out ones are (C_T {ct:.1f}), and {attraction:.0%} ± "
            f"{error:.0%} more of them than chance explains have a training image for their nearest real image: these may "
            "be altered copies, or too few held-out images to decide",
        )
    return None


def check_collapse(last: Figures, split: str, modes: int | None) -> Answer:
    found = last.get(f"{split}/modes")
    variance = _ratio(last, "fake/spread", "real/spread")
    signs = []
    if variance is not None and variance < APART:
        signs.append(f"its samples have {variance:.2g} times the feature variance of real images")
    repeats, real = last.get("fake/repeats", 0.0), last.get("real/repeats", 0.0)
    if repeats - real > REPEATED:
        signs.append(f"{repeats:.0%} of its samples repeat another one")
    if modes and found is not None and 0 < found < FOUND * modes:
        signs.append(f"it has found {found:.0f} of {modes} modes")
    return Answer(bool(signs), ", and ".join(signs))


def check_underfitting(last: Figures, split: str, held_out: int | None) -> Answer:
    if (near := last.get(f"{split}/high_quality")) is not None:
        return Answer(near < NEAR, f"{near:.0%} of the points lie within 3 standard deviations of a mode")
    skill, error = last.get(f"{split}/skill", math.nan), last.get(f"{split}/skill_se", math.nan)
    if math.isnan(skill):
        return Answer(None, "the skill was not measured (type metrics=[…,kernel])")
    if skill + CONFIDENT * error < SKILLED:
        return Answer(True, f"{describe_skill(last, split)}, and {SKILLED} is the least that is called good")
    if skill - CONFIDENT * error < SKILLED:
        needed = ""
        if held_out:
            factor = (CONFIDENT * error / max(abs(skill - SKILLED), 0.01)) ** 2
            needed = f": about {_rounded(held_out * factor)} held-out images would be enough"
        return Answer(None, f"{describe_skill(last, split)}, which may lie on either side of {SKILLED}{needed}")
    return Answer(False)


def check_dropped_modes(last: Figures, split: str, modes: int | None, missing: Sequence[str]) -> Answer:
    if modes and (found := last.get(f"{split}/modes")) is not None:
        is_near = last[f"{split}/high_quality"] >= NEAR
        return Answer(found < modes and is_near, f"{found:.0f} of {modes} modes are found")
    share, skill = last.get(f"{split}/missing_modes", 0.0), last.get(f"{split}/skill_of_drawn", math.nan)
    error = last.get(f"{split}/skill_of_drawn_se", math.nan)
    lacking = 1 - last.get(f"{split}/skill", math.nan)
    is_explained = lacking <= SLIGHT or skill + CONFIDENT * error >= 1 or 1 - skill <= EXPLAINED * lacking
    if not (share > 0 and skill >= SKILLED and is_explained):  # bad samples miss modes, too
        return Answer(False)
    named = f" ({', '.join(missing)})" if missing else ""
    return Answer(
        True,
        f"classes or clusters that hold {share:.0%} of the real images are drawn less than half as often{named}; "
        f"on the others the skill is {skill:.2f} ± {error:.2f}",
    )


def describe_skill(last: Figures, split: str) -> str:
    skill, error = last[f"{split}/skill"], last[f"{split}/skill_se"]
    is_worse = SKILLED <= skill < 1 - CONFIDENT * error
    scale = "1: unseen real images, 0: a Gaussian of the pixels"
    return f"skill {skill:.2f} ± {error:.2f}{', measurably worse than real images' if is_worse else ''} ({scale})"


def _ratio(figures: Figures, of: str, reference: str) -> float | None:
    """figures[of] / figures[reference], None unless both are known."""
    if of not in figures or not figures.get(reference):
        return None
    return figures[of] / figures[reference]


def _rounded(n: float) -> str:
    """Two digits, thousands apart."""
    digits = max(0, math.ceil(math.log10(max(n, 1))) - 2)
    return f"{math.ceil(round(n / 10**digits, 6)) * 10**digits:,}"
