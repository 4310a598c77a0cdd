"""Where a rendering is written: checked before anything is rendered, so that no file meets another."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from ...errors import AudioFileError, UsageError
from .audiofile import check_audio_name, check_place
from .sinks import Stem


class OutputPlaces(NamedTuple):
    """The files to come.

    Attributes
    ----------
    mix : the path of the mix; None for a stream
    folder : that of the stems; None if none are wanted
    stems : paths by the MIDI channels that each sums
    """

    mix: Path | None
    folder: Path | None
    stems: Mapping[Stem, Path]


def plan_places(
    mix: Path | None, folder: Path | None, names: Mapping[Stem, str], source: Path | None, bit_depth: str
) -> OutputPlaces:
    """Return the places of a rendering, all of them different and writable as far as can be seen.

    Parameters
    ----------
    mix : path or None
        None if it goes into a stream.
    folder : path or None
        For stems, which have the suffix of the mix.
    names : mapping of Stem to str
        Of the stems, by the MIDI channels that each sums.
    source : path or None
        The MIDI file, if it is one.
    bit_depth : str
        See `choices.BIT_DEPTHS`.

    Raises
    ------
    UsageError
        If two of them are one file, through links or on file systems that know no case, too; or a suffix is wrong.
    AudioFileError
        If a file cannot be written there.
    """
    suffix = ".wav" if mix is None else mix.suffix
    stems = {} if folder is None else {stem: folder / f"{name}{suffix}" for stem, name in names.items()}
    for path in ([] if mix is None else [mix]) + list(stems.values()):
        check_audio_name(path, bit_depth)
    if mix is not None and source is not None and _is_one(mix, source):
        raise UsageError(f"the output {str(mix)!r} is the MIDI file itself; name another file")
    for path in stems.values():
        for other, what in ((source, "the MIDI file"), (mix, "the output")):
            if other is not None and _is_one(path, other):
                raise UsageError(
                    f"the stem {str(path)!r} would overwrite {what} {str(other)!r}; choose another folder for the stems"
                )
    _check_apart(list(stems.values()))
    if mix is not None:
        check_place(mix)
    if folder is not None and folder.is_dir():
        for path in stems.values():
            check_place(path)
    return OutputPlaces(mix, folder, stems)


@contextmanager
def made_folder(path: Path | None) -> Iterator[None]:
    """Have a folder; one made here goes again if an exception ends the block and it is empty."""
    if path is None:
        yield
        return
    try:
        is_new = not path.exists()
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AudioFileError(f"cannot make the folder {str(path)!r}: {error.strerror}") from error
    try:
        yield
    except BaseException:
        if is_new:
            with suppress(OSError):
                path.rmdir()
        raise


def _check_apart(paths: list[Path]) -> None:
    """Links among stems that are there already may lead to one file."""
    for index, path in enumerate(paths):
        for other in paths[:index]:
            if _is_one(path, other):
                raise UsageError(f"the stems {str(other)!r} and {str(path)!r} are one file; remove the link")


def _is_one(one: Path, other: Path) -> bool:
    """Tell whether two paths are, or would be, the same file; names that differ in case alone are taken for one."""
    with suppress(OSError):
        if one.samefile(other):
            return True
    places = [os.path.realpath(path).casefold() for path in (one, other)]
    return places[0] == places[1]
