"""Files of a data set that cannot be read: all of them are named, or left out."""

import logging

from regen.data.split import Files
from regen.errors import ConfigError

NAMED = 5  # unreadable files in a message

log = logging.getLogger(__name__)


def bad_files(files: Files, most: int, is_whole: bool) -> set[int]:
    """The indices of unreadable files, up to `most` (data.max_bad_files). Raises ConfigError that names them if they are more.

    is_whole   False if one is known to be unreadable. Otherwise, and if none is admitted, the files are not decoded here
    """
    if not isinstance(most, int) or isinstance(most, bool) or most < 0:
        raise ConfigError(f"data.max_bad_files={most!r}: expected 0 or a positive whole number")
    if most == 0 and is_whole:
        return set()
    bad = files.unreadable()
    if len(bad) > most:
        raise error_of(bad, len(files))
    if bad:
        names = ", ".join(str(files.paths[index]) for index in [*bad][:NAMED])
        more = f" and {len(bad) - NAMED} more" if len(bad) > NAMED else ""
        log.warning("left out %d unreadable files (data.max_bad_files=%d): %s%s", len(bad), most, names, more)
    return set(bad)


def error_of(bad: dict[int, str], count: int) -> ConfigError:
    """The error that names unreadable files, {index: what is wrong}, of so many in all."""
    if len(bad) == 1:
        return ConfigError(f"{next(iter(bad.values()))}, or type data.max_bad_files=1 to leave it out")
    named = "\n  ".join([*bad.values()][:NAMED])
    more = f"\n  and {len(bad) - NAMED:,} more" if len(bad) > NAMED else ""
    return ConfigError(
        f"{len(bad):,} of {count:,} files cannot be read; type data.max_bad_files={len(bad)} to leave them out:\n"
        f"  {named}{more}"
    )
