"""The configuration and versions of the run, and commands to continue with it."""

import shlex

from regen.report.context import Evidence
from regen.utils import program
from regen.utils.project import ROOT

NEXT = {
    "evaluate it on the test part": ("evaluate", "run={run} split=test"),
    "generate images": ("sample", "run={run}"),
    "export it": ("export", "run={run}"),
    "make this page again": ("report", "run={run}"),
}


def make(evidence: Evidence) -> dict:
    """Configuration, versions and commands."""
    result, path = evidence.result, evidence.folder.path.resolve()
    run = shlex.quote(str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path))
    versions = {name: version for name, version in (result.get("versions") or {}).items() if version}
    return {
        "config": evidence.folder.config.read_text() if evidence.folder.config.exists() else "",
        "versions": {"Python": result.get("python"), "platform": result.get("platform"), **versions},
        "commit": result.get("commit"),
        "changed": result.get("uncommitted_changes"),
        "commands": _commands(evidence, run),
    }


def _commands(evidence: Evidence, run: str) -> dict[str, str]:
    """Commands that continue from a checkpoint, or train again without one."""
    if not any(evidence.folder.checkpoints.glob("*.ckpt")):
        again = "judge the images again" if "inputs" in evidence.result else "train it again"
        command = evidence.result.get("command")
        return {again: program.typed_again(command)} if command else {}
    more = f" max_iterations={2 * evidence.result['iteration']}" if evidence.result.get("status") == "finished" else ""
    going_on = {"continue training": f"{program.typed('train')} resume={run}{more}"}
    following = {what: f"{program.typed(name)} {words.format(run=run)}" for what, (name, words) in NEXT.items()}
    return going_on | following
