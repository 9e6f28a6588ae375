"""The command `regen` and its subcommands. Imports nothing heavy: `regen --help` answers at once."""

import difflib
import importlib
import signal
import sys

from regen import __version__

COMMANDS = {
    "train": "train a model: regen train regularizer=l2 lambda_g=0.1",
    "choose": "choose the strength of a regularizer by cross-validation: regen choose regularizer=r1",
    "compare": "compare runs: regen compare runs=outputs/sweeps/NAME",
    "evaluate": "measure runs on held-out images: regen evaluate run=outputs/RUN",
    "downstream": "measure what runs are worth to classifiers: regen downstream run=outputs/RUN task=augment",
    "sample": "generate images: regen sample run=outputs/RUN n=1000",
    "export": "write the generator as safetensors, torch.export and ONNX: regen export run=outputs/RUN",
    "judge": "judge images from any tool: regen judge samples=FOLDER train=FOLDER held_out=FOLDER",
    "report": "write the page of a run: regen report run=outputs/RUN",
    "regularizers": "list the regularizers, or explain one: regen regularizers r1",
    "stability": "analyse a regularizer in the Dirac-GAN: regen stability regularizer=r1 lambda_d=1",
    "doctor": "check the installation: versions, devices, a training of seconds, and the GPU: regen doctor",
    "init": "write a project of your own, with a regularizer and a data set: regen init FOLDER",
    "wandb_view": "save a workspace for comparing runs in W&B: regen wandb-view sweep=NAME",
}
WITHOUT_HYDRA = ("doctor", "init", "regularizers")
USAGE_ERROR = 78


def main() -> None:
    """Run `regen COMMAND …`, then leave with the command's exit status."""
    command, *words = sys.argv[1:] or ["--help"]
    if command in ("-h", "--help", "help"):
        print(usage())
    elif command in ("-V", "--version"):
        print(f"regen {__version__}")
    elif (name := command.replace("-", "_")) in COMMANDS:
        sys.argv = [f"regen {command}", *words]
        start(name)
    else:
        near = difflib.get_close_matches(name, COMMANDS, 1)
        question = f" (did you mean {_typed(near[0])}?)" if near else ""
        print(f"error: regen {command}: expected one of {', '.join(map(_typed, COMMANDS))}{question}", file=sys.stderr)
        sys.exit(USAGE_ERROR)


def start(name: str) -> None:
    """Run a command with the words of sys.argv, then leave with its exit status."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # imports take half a second: Ctrl-C ends them without a traceback
    command = importlib.import_module(f"regen.cli.{name}")
    if name in WITHOUT_HYDRA:
        sys.exit(command.main())
    from regen.cli import entry_point

    entry_point.run(command.main)


def usage() -> str:
    """Return the answer to `regen --help`."""
    width = max(map(len, COMMANDS))
    lines = [f"  {_typed(name):{width}}  {text}" for name, text in COMMANDS.items()]
    return "\n".join(
        [
            "regen: which regularizer, at what strength, makes a generative model generalize best?",
            "",
            "regen COMMAND KEY=VALUE …",
            "",
            *lines,
            "",
            "regen COMMAND --help explains the keys of a command.",
        ]
    )


def _typed(name: str) -> str:
    return name.replace("_", "-")
