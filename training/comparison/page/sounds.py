"""The sounds of a comparison's page: one note per instrument, recorded and as every path plays it."""

from __future__ import annotations

from base64 import b64encode
from html import escape
from typing import Final

import numpy as np

from ....engine.output.audiofile import encode_ogg
from ...measure.hearing import HEARING_RATE
from ..run import RECORDING, Example

PEAK: Final = 0.7
"""Of the recording; what paths play gets the same gain."""
MOST_BYTES: Final = 12_000_000
"""Of all sounds of a page together, as they are written into it."""


class Sounds:
    """Turns examples into players, until the page is full."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._left = most_bytes

    def players(self, example: Example) -> str:
        """Return the players of a note, the recording first; a line in their place where the page has no room left."""
        loudest = float(np.abs(example.sounds[RECORDING]).max(initial=0.0))
        gain = PEAK / loudest if loudest > 0.0 else 1.0
        players = []
        for name, audio in example.sounds.items():
            source = b64encode(encode_ogg((gain * audio).astype(np.float32), HEARING_RATE)).decode()
            self._left -= len(source)
            if self._left < 0:
                players.append('<p class="note">Further sounds are left out: the page would grow too large.</p>')
                break
            players.append(
                f'<figure><figcaption>{escape(name)}</figcaption><audio controls preload="none" '
                f'src="data:audio/ogg;base64,{source}"></audio></figure>'
            )
        return f'<div class="sounds">{"".join(players)}</div>'
