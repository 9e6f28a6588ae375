"""Descriptions of regularizers, from the class, docstring and yaml of each conf/regularizer/*.yaml."""

from dataclasses import dataclass
from functools import cached_property

from omegaconf import DictConfig

from regen.config.instantiate import resolve
from regen.config.keys import entries
from regen.config.yaml_files import load_config_file
from regen.core.constraints import WITHOUT_ENCODER, Words, is_of_flows, words
from regen.core.regularizer import Regularizer
from regen.utils.project import CONF

PLACES = {
    "attach": "form of the nets",
    "augment": "what D sees",
    "for_d": "D's loss",
    "for_g": "G's loss",
    "after_update": "weights after a step",
}


@dataclass(frozen=True)
class RegularizerInfo:
    """One option of the group `regularizer`."""

    name: str
    node: DictConfig
    kind: type[Regularizer]

    @cached_property
    def words(self) -> Words:
        """Return the parts of the docstring."""
        return words(self.kind)

    @cached_property
    def places(self) -> list[str]:
        """Places of the model that it acts on, of five."""
        over = [place for place in PLACES if getattr(self.kind, place) is not getattr(Regularizer, place)]
        if self.kind.attach_order > 0 and "attach" in over:
            over.remove("attach")
        return [place for place in over if place != "after_update" or over == ["after_update"]]

    @property
    def is_of_codes(self) -> bool:
        """Return whether the regularizer needs an encoder."""
        return any(clash.what == WITHOUT_ENCODER for clash in self.kind.incompatible)

    @property
    def where(self) -> str:
        """The places, in words."""
        if self.is_of_codes:
            return "the code of a VAE"
        if is_of_flows(self.kind):
            return "what a flow's network sees"
        return ", ".join(PLACES[place] for place in self.places).replace("D's loss, G's loss", "both losses")

    @property
    def defaults(self) -> str:
        """The settings of the yaml, but for those that every penalty has at their usual value."""
        usual = {"interval": 1, "relative": None}
        shown = {
            key: value
            for key, value in entries(self.node).items()
            if key != "_target_" and (key, value) not in usual.items()
        }
        return ", ".join(f"{key}: {_short(value)}" for key, value in shown.items())

    @property
    def searched(self) -> str:
        """The ranges worth searching."""
        return ", ".join(f"{key}: {_short(low)} to {_short(high)}" for key, (low, high) in self.kind.search.items())

    @property
    def cost(self) -> str:
        """Extra passes of an update, for each player whose update has some."""
        return "; ".join(f"{player.upper()}'s update: {cost}" for player, cost in self.kind.cost.items())

    def says(self, wanted: str) -> bool:
        """Return whether the description contains a word."""
        return wanted.casefold() in " ".join([self.name, self.where, *vars(self.words).values()]).casefold()


def regularizer_infos() -> list[RegularizerInfo]:
    """Return all regularizers, sorted by the places where they act, and then by name."""
    found = []
    for path in sorted((CONF / "regularizer").glob("*.yaml")):
        for name, node in entries(load_config_file(path)).items():
            found.append(RegularizerInfo(name, node, resolve(node._target_, f"regularizer.{name}")))
    order = list(PLACES)
    return sorted(found, key=lambda one: (one.is_of_codes, [order.index(place) for place in one.places], one.name))


def facts(one: RegularizerInfo) -> str:
    """List the facts besides formula and text in Markdown."""
    rows = {
        "Acts on": one.where,
        "Source": one.words.source,
        "Convention": one.words.convention,
        "Default": one.defaults and f"`{one.defaults}`",
        "Searched": one.searched and f"`{one.searched}`",
        "Extra passes": one.cost,
        "Not with": "; ".join(f"{clash.what}: {clash.why}" for clash in one.kind.incompatible),
        "Class": f"`{one.node._target_}`",
    }
    return "\n".join(f"- **{name}:** {value}" for name, value in rows.items() if value)


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value).replace("'", "")
