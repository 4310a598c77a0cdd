"""A million random MIDI messages, valid and not, through the synthesizer as it plays live, with the shipped bank.

Nothing may raise, every sample must be a finite number, nothing may sound after a panic, and memory must stay flat.
CI plays 20,000 of them with fakes; this is the long run: `python benchmarks/fuzz_messages.py --json`.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sys
from time import perf_counter

import numpy as np

from tnca_synth.engine.open import assemble_synth
from tnca_synth.engine.synth import Synth
from tnca_synth.midi import messages as midi

MESSAGES_PER_BLOCK = 200
BLOCK_FRAMES = 256
_WARM_UP_BLOCKS = 50
_EXCLUSIVE_HEADS = (
    *("7f7f08", "7e0008", "7f7f04", "7e7f09"),
    *("41104212400000", "41104212400130", "41104212401100", "41104212402100", "4110421200"),
    *("43104c000000", "43104c020100", "43104c080000", "43004c"),
    *("7d544e", "7d544e7f01", "7d544e0014"),
)


def random_message(dice: random.Random) -> bytes:
    """Return anything a port may deliver: mostly notes and controllers, much of it valid, some of it noise."""
    kind = dice.random()
    channel = dice.choice((0, 0, 1, 2, 9, 15))
    if kind < 0.3:
        return midi.note_on(channel, dice.randrange(30, 100), dice.randrange(128))
    if kind < 0.4:
        return midi.note_off(channel, dice.randrange(30, 100), dice.randrange(128))
    if kind < 0.65:
        return midi.control_change(channel, dice.randrange(128), dice.randrange(128))
    if kind < 0.7:
        return dice.choice(midi.registered_parameter(channel, dice.randrange(8), dice.randrange(1 << 14)))
    if kind < 0.8:
        return random_exclusive(dice)
    if kind < 0.95:
        return bytes([dice.randrange(0x80, 0x100), dice.randrange(128), dice.randrange(128)])
    return dice.randbytes(dice.randrange(6))


def random_exclusive(dice: random.Random) -> bytes:
    """Return a SysEx message that begins as one that is understood, mostly with a right checksum where one belongs."""
    body = bytes.fromhex(dice.choice(_EXCLUSIVE_HEADS)) + bytes(dice.randrange(128) for _ in range(dice.randrange(30)))
    if body[0] == 0x41 and dice.random() < 0.8:
        body += bytes((-sum(body[4:]) % 128,))
    return midi.system_exclusive(body)


def feed(synth: Synth, dice: random.Random, count: int) -> list[float]:
    """Send and render `count` messages; return the peak memory in MB after each tenth.

    Raises
    ------
    AssertionError
        If a sample is not a number.
    """
    memory_mb = []
    num_blocks = max(1, count // MESSAGES_PER_BLOCK)
    for block in range(num_blocks):
        for _ in range(MESSAGES_PER_BLOCK):
            synth.send(random_message(dice), synth.frame + dice.randrange(2 * BLOCK_FRAMES))
        assert np.isfinite(synth.render(BLOCK_FRAMES)).all(), "samples must be numbers"
        synth.grow_ahead(BLOCK_FRAMES)
        if block >= _WARM_UP_BLOCKS and block % max(1, num_blocks // 10) == 0:
            memory_mb.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return memory_mb


def is_silent_after_panic(synth: Synth) -> bool:
    """Tell whether nothing sounds, rings or waits once a panic has faded."""
    synth.render(4 * BLOCK_FRAMES)
    synth.panic()
    synth.render(4 * BLOCK_FRAMES)
    return synth.active_voices == 0 and not synth.render(synth.sample_rate // 10).any() and synth.idle


def main() -> int:
    """Parse, run, report; 1 if a note stuck."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    synth = assemble_synth(grows_together=True, growth_controllers=True).synth
    began = perf_counter()
    memory_mb = feed(synth, random.Random(options.seed), options.count)
    report = {
        "count": options.count,
        "seed": options.seed,
        "elapsed_s": perf_counter() - began,
        "notes_started": synth.notes_started,
        "notes_stolen": synth.notes_stolen,
        "memory_mb": memory_mb,
        "silent_after_panic": is_silent_after_panic(synth),
    }
    print(json.dumps(report) if options.json else "\n".join(f"{name}: {value}" for name, value in report.items()))
    return 0 if report["silent_after_panic"] else 1


if __name__ == "__main__":
    sys.exit(main())
