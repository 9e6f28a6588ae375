"""Names of tests: subject and expectation, without pronouns."""

import re
from pathlib import Path

PRONOUNS = "it|its|itself|they|them|their|themselves|what|whatever|who|whose|whom|ones|those"


def test_names_of_tests_hold_no_pronoun() -> None:
    files = Path(__file__).parent.rglob("test_*.py")
    names = {(path.name, name) for path in files for name in re.findall(r"def (test_\w+)", path.read_text())}
    assert len(names) > 1000
    assert not [name for name in names if re.search(rf"_({PRONOUNS})(_|$)", name[1])]
