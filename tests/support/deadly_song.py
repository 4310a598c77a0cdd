"""A song that kills its worker, in a module that workers can import."""

from __future__ import annotations

import os
import signal

from tnca_synth.corpus import render
from tnca_synth.corpus.render import Outcome, SongTask, render_song_task

KILLS_AT_S = 2.0


class Fault(render._Progress):
    """Kills this process in the middle of a song."""

    def __call__(self, done_s: float, song_s: float) -> None:
        super().__call__(done_s, song_s)
        if done_s > KILLS_AT_S:
            os.kill(os.getpid(), signal.SIGKILL)


def render_song_with_a_fault(task: SongTask) -> Outcome:
    """Render a song as `render_song_task` does, but for the one that is called "song 1"."""
    if "song 1" in task.song.source:
        render._Progress = Fault  # type: ignore[misc]
    return render_song_task(task)
