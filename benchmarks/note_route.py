"""List the modules that one note crosses from its MIDI bytes to samples: how far a reader must go to follow it.

A module counts when a function of it runs while the note is sent and rendered, on the default path. Models are open and
a note has sounded before, so that nothing of opening and of first calls counts. Run: `python benchmarks/note_route.py`.
"""

from __future__ import annotations

import argparse
import json
import sys
from types import FrameType

from tnca_synth.engine.open import assemble_synth
from tnca_synth.engine.synth import Synth
from tnca_synth.midi.messages import note_off, note_on

SECOND = 44_100


def play(synth: Synth, key: int) -> None:
    """Play a note of a second, and what rings after it."""
    synth.send(note_on(0, key, 100))
    synth.render(SECOND)
    synth.send(note_off(0, key))
    synth.render(3 * SECOND)


def modules_of_a_note() -> dict[str, list[str]]:
    """Return the functions that run, by module, in the order in which the note comes to them."""
    synth = assemble_synth(provider="cpu").synth
    play(synth, 64)
    found: dict[str, list[str]] = {}

    def entered(frame: FrameType, event: str, _: object) -> None:
        module = frame.f_globals.get("__name__", "")
        if event == "call" and module.startswith("tnca_synth."):
            names = found.setdefault(module.removeprefix("tnca_synth."), [])
            name = frame.f_code.co_qualname
            if "<" not in name and name not in names:
                names.append(name)

    sys.setprofile(entered)
    try:
        play(synth, 60)
    finally:
        sys.setprofile(None)
    return found


def main() -> None:
    """Print the list, or JSON of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    is_json = parser.parse_args().json
    found = modules_of_a_note()
    if is_json:
        print(json.dumps(found, indent=1))
        return
    for module, names in found.items():
        print(f"{module:34} {', '.join(names[:4])}{', ...' if len(names) > 4 else ''}")
    print(f"{len(found)} modules")


if __name__ == "__main__":
    main()
