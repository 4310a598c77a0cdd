"""The samples of an SFZ file as notes: each where the map has it, tuned, as loud and looped as the map says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ....errors import AudioFileError, DatasetError
from ...measure.recording import Recording
from ...sources.audio.checks import read_sound
from ...sources.audio.marks import Marks, read_marks
from ...sources.audio.note_file import note_of, recorded_note
from ...sources.naming.drums import drum_key
from ..keeping import Keeper
from ..material import Finding, Gathered, Wishes
from .regions import LeftOut, Region, read_regions
from .text import read_sections

MOST_REGIONS: Final = 600
MOST_ARE_DRUMS: Final = 0.6
DEFAULT_ROOT: Final = 60


def read_sfz(path: Path, sample_rate: int, wishes: Wishes) -> Gathered:
    """Read the notes of an SFZ file; `DatasetError` where it is none."""
    found = read_regions(read_sections(path))
    if not found:
        raise DatasetError(f"{path} is not a usable SFZ file: it holds no <region>")
    gathered = Gathered("sfz")
    gathered.findings += [Finding(one.sample or path.name, one.reason) for one in found if isinstance(one, LeftOut)]
    regions = _thinned([one for one in found if isinstance(one, Region)], gathered)
    gathered.is_kit = _is_kit(regions) if wishes.drums is None else wishes.drums
    keeper = Keeper(sample_rate)
    for region in regions:
        try:
            keeper.add(_recording(path.parent, region, sample_rate, gathered.is_kit))
        except AudioFileError as error:
            gathered.findings.append(Finding(region.sample, str(error)))
    gathered.recordings = keeper.recordings
    gathered.findings += keeper.findings
    if not gathered.is_kit:
        gathered.zone_ends = tuple(sorted({region.high for region in regions}))
    return gathered


def _is_kit(regions: Sequence[Region]) -> bool:
    """Tell whether most samples are drums: by their names, or because their pitch does not follow the keys."""
    drums = [drum_key(Path(one.sample).stem) for one in regions]
    are_named = sum(key is not None for key in drums) >= MOST_ARE_DRUMS * len(regions) and len(set(drums)) > 1
    return are_named or sum(not one.is_tracked for one in regions) >= MOST_ARE_DRUMS * max(len(regions), 1)


def _thinned(regions: list[Region], gathered: Gathered) -> list[Region]:
    """Leave out repeats, then every so many, where there are more regions than it takes to learn."""
    if len(regions) <= MOST_REGIONS:
        return regions
    first = list({(one.low, one.high, one.velocities): one for one in reversed(regions)}.values())[::-1]
    step = -(-len(first) // MOST_REGIONS)
    gathered.remarks.append(f"{len(first[::step])} of {len(regions)} regions are taken: repeats are left out first")
    return first[::step]


def _recording(folder: Path, region: Region, sample_rate: int, is_kit: bool) -> Recording:
    path = find_sample(folder, region.sample)
    sound, rate = read_sound(path)
    marks = read_marks(path)
    end = len(sound) if region.end is None else min(region.end, len(sound))
    root = (marks.key or DEFAULT_ROOT) if region.root is None else region.root
    key = min(max(root, region.low), region.high)
    tune = region.tune + (key - root if region.is_tracked and not is_kit else 0)
    speed = 2.0 ** (tune / 12)
    note = note_of(sound[region.offset : end], rate * speed, sample_rate, _loop(region, marks))
    if region.gain_db:
        note = note.louder(10 ** (region.gain_db / 20))
    return recorded_note(
        note, sample_rate, "sfz", key, region.velocity, pitched=not is_kit and region.is_tracked, origin=region.sample
    )


def _loop(region: Region, marks: Marks) -> tuple[int, int] | None:
    loop = region.loop or marks.loop
    if loop is None or region.loops is False:
        return None
    return loop[0] - region.offset, loop[1] - region.offset


def find_sample(folder: Path, name: str) -> Path:
    """Return the path of a sample; maps made on Windows need not tell capitals from small letters."""
    path = folder / name
    if path.is_file():
        return path
    path = folder
    for part in Path(name).parts:
        if part == ".." or (path / part).exists():
            path = path / part
            continue
        try:
            same = next(one for one in sorted(path.iterdir()) if one.name.lower() == part.lower())
        except (StopIteration, OSError) as error:
            raise AudioFileError("unreadable: there is no such file, but the SFZ names it") from error
        path = same
    return path
