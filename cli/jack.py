"""`tnca-synth jack`: play as a client of a JACK server, with MIDI and audio ports of its own."""

from __future__ import annotations

import argparse
from time import sleep

from .output import PROGRAM, print_error

LOOK_S = 0.2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `jack`."""
    parser.add_argument("--name", default=PROGRAM, help=f"name of the client (default: {PROGRAM})")
    parser.add_argument("--instrument", metavar="NAME", help="plays all but the drums, by name or program 0..127")
    parser.add_argument("--midi-in", metavar="PART", help="connect the MIDI ports with this in their names")
    parser.add_argument("--no-connect", action="store_true", help="leave the audio outputs unconnected")


def run(arguments: argparse.Namespace) -> int:
    """Play until interrupted, or until the server ends; print the state whenever it changes."""
    from ..bridge.jack.program import JackInstrument

    player = JackInstrument(arguments.name)
    try:
        player.start(not arguments.no_connect)
        if arguments.instrument is not None:
            wanted = arguments.instrument
            player.set("instrument", str(int(wanted) + 1) if wanted.isdigit() else wanted)
        if arguments.midi_in is not None and not player.connect_midi(arguments.midi_in):
            print_error(f"no MIDI port of JACK has {arguments.midi_in!r} in its name")
        told = ""
        while not player.is_gone:
            text = player.status.text.decode(errors="replace")
            if text != told:
                told = text
                print(text, flush=True)
            sleep(LOOK_S)
        print_error("the JACK server has ended")
        return 1
    finally:
        player.close()
