"""Which key of a General MIDI drum kit a drum's name means."""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Final

FIRST_FREE_KEY: Final = 35
LAST_KEY: Final = 127
# The first that fits is taken, so that what says more stands before what says less.
DRUM_WORDS: Final = (
    (r"side ?stick|rim ?(shot|click)?|x ?stick", 37),
    (r"hand ?clap|clap", 39),
    (r"(snare|sd|sn)\b.*(2|b|electr)|electr\w* snare", 40),
    (r"snare|\bsd|\bsn\b", 38),
    (r"kick|bass ?drum|\bbd|\bkd", 36),
    (r"ped\w* hi ?hat|hi ?hat ped\w*|hh ?ped\w*", 44),
    (r"open(ed)? hi ?hat|hi ?hat\w* open|\bohh?\b|hh ?open|hat\w* open|open hat", 46),
    (r"hi ?hat|\bhh|\bchh?\b|\bhats?\b", 42),
    (r"floor ?tom.*(hi|1)|hi\w* floor ?tom", 43),
    (r"floor ?tom", 41),
    (r"low\w* tom|tom ?(low|lo|l\b|3)|\blt\b", 45),
    (r"(hi|high) ?tom|tom ?(hi|high|h\b|1)|\bht\b", 50),
    (r"tom|\bmt\b", 47),
    (r"crash ?2", 57),
    (r"crash|\bcr\b", 49),
    (r"ride ?bell|bell of ride", 53),
    (r"ride ?2", 59),
    (r"ride|\brd\b", 51),
    (r"china", 52),
    (r"splash", 55),
    (r"tambourine", 54),
    (r"cow ?bell", 56),
    (r"vibra ?slap", 58),
    (r"(mute\w*) (hi\w* )?conga", 62),
    (r"low\w* conga", 64),
    (r"conga", 63),
    (r"low\w* bongo", 61),
    (r"bongo", 60),
    (r"low\w* timbale", 66),
    (r"timbale", 65),
    (r"low\w* agogo", 68),
    (r"agogo", 67),
    (r"cabasa", 69),
    (r"maraca", 70),
    (r"guiro", 74),
    (r"claves?", 75),
    (r"low\w* wood ?block", 77),
    (r"wood ?block", 76),
    (r"mute\w* triangle", 80),
    (r"triangle", 81),
    (r"shaker", 82),
)


def drum_key(words: str) -> int | None:
    """Return the key that a name such as ``Snare`` or ``hihat_open`` means, or None."""
    plain = re.sub(r"[\W_]+", " ", words).strip().lower()
    return next((key for pattern, key in DRUM_WORDS if re.search(pattern, plain)), None)


def free_key(taken: Container[int]) -> int:
    """Return the lowest key from 35 on that no drum has yet."""
    return next((key for key in range(FIRST_FREE_KEY, LAST_KEY + 1) if key not in taken), LAST_KEY)
