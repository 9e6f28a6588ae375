"""A workspace in W&B for comparing runs: `python src/wandb_view.py` in a clone is `regen wandb-view`."""

from regen.cli.commands import start

if __name__ == "__main__":
    start("wandb_view")
