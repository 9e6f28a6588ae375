"""Put conf/ and an example into the package regen when a wheel is built; a clone and an editable install read the originals."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

FOLDERS = ("conf", "examples/own_project")


class BuildWithConf(build_py):
    """Copy folders of the clone to the folder of the package."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            for folder in FOLDERS:
                target = Path(self.build_lib) / "regen" / folder
                shutil.rmtree(target, ignore_errors=True)  # of an earlier build: a renamed option would stay
                shutil.copytree(folder, target, ignore=shutil.ignore_patterns("outputs", "__pycache__"))


setup(cmdclass={"build_py": BuildWithConf})
