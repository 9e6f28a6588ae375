"""Put conf/ into the package regen when a wheel is built; a clone and an editable install read conf/ itself."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithConf(build_py):
    """Copy conf/ to regen/conf next to the modules."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib) / "regen/conf"
            shutil.rmtree(target, ignore_errors=True)  # of an earlier build: a renamed option would stay
            shutil.copytree("conf", target)


setup(cmdclass={"build_py": BuildWithConf})
