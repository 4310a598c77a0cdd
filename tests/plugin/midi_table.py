"""Rows of docs/midi.md as short scenes: a name, and what is played, in seconds from the scene's beginning."""

from __future__ import annotations

SCENE_S = 0.5
Scene = tuple[str, list[tuple[float, str]]]

_NOTE = [(0.0, "90 3c 64"), (0.3, "80 3c 40")]


def _with(name: str, *messages: tuple[float, str], program: int = 40) -> Scene:
    """A note of a violin, and messages before it or while it sounds; those of one time come one frame apart."""
    return name, [
        (0.0, f"c0 {program:02x}"),
        *(one for one in messages if one[0] == 0.0),
        *_NOTE,
        *(one for one in messages if one[0] > 0.0),
    ]


SCENES: list[Scene] = [
    _with("a note"),
    (
        "velocities",
        [(0.0, "90 3c 01"), (0.15, "90 40 40"), (0.3, "90 43 7f"), *((0.4, f"80 {k} 40") for k in ("3c", "40", "43"))],
    ),
    ("release velocity", [(0.0, "90 3c 64"), (0.1, "80 3c 7f"), (0.2, "90 40 64"), (0.3, "80 40 01")]),
    ("velocity 0 is a note off", [(0.0, "90 3c 64"), (0.2, "90 3c 00")]),
    (
        "all channels",
        [(0.02 * c, f"{0x90 | c:02x} {60 + c:02x} 50") for c in range(16)]
        + [(0.4, f"{0x80 | c:02x} {60 + c:02x} 40") for c in range(16)],
    ),
    (
        "program changes",
        [
            (0.0, "c1 00"),
            (0.001, "91 3c 64"),
            (0.2, "c1 38"),
            (0.201, "91 40 64"),
            (0.4, "81 3c 40"),
            (0.4, "81 40 40"),
        ],
    ),
    ("drums", [(0.0, "99 24 64"), (0.1, "99 26 64"), (0.2, "99 2a 64"), (0.3, "99 2e 64")]),
    _with("poly pressure", (0.1, "a0 3c 7f"), (0.2, "a0 3c 20")),
    _with("channel pressure", (0.1, "d0 7f"), (0.2, "d0 20")),
    _with("pitch bend", (0.0, "e0 00 50"), (0.1, "e0 7f 7f"), (0.2, "e0 00 00"), (0.25, "e0 01 40")),
    _with("modulation", (0.05, "b0 01 7f"), (0.2, "b0 01 10")),
    _with("breath", (0.05, "b0 02 40")),
    _with("volume and its fine part", (0.1, "b0 07 20"), (0.2, "b0 27 40")),
    _with("pan", (0.0, "b0 0a 00"), (0.1, "b0 0a 7f"), (0.2, "b0 0a 40")),
    _with("expression", (0.1, "b0 0b 10"), (0.2, "b0 0b 7f")),
    _with("sustain", (0.05, "b0 40 7f"), (0.4, "b0 40 00")),
    _with("half pedal", (0.05, "b0 40 30"), (0.4, "b0 40 00")),
    _with("sostenuto", (0.05, "b0 42 7f"), (0.4, "b0 42 00")),
    _with("soft pedal", (0.0, "b0 43 7f")),
    _with("resonance", (0.0, "b0 47 7f")),
    _with("release time", (0.0, "b0 48 10")),
    _with("attack time", (0.0, "b0 49 60")),
    _with("brightness", (0.0, "b0 4a 7f"), (0.15, "b0 4a 10")),
    _with("decay time", (0.0, "b0 4b 10"), program=0),
    _with("vibrato depth", (0.05, "b0 4d 7f")),
    (
        "portamento",
        [
            (0.0, "c0 28"),
            (0.001, "b0 05 28"),
            (0.002, "b0 41 7f"),
            (0.01, "90 3c 64"),
            (0.15, "90 43 64"),
            (0.4, "80 3c 40"),
            (0.4, "80 43 40"),
        ],
    ),
    _with("reverb send", (0.0, "b0 5b 7f")),
    _with("chorus send", (0.0, "b0 5d 7f")),
    _with("bend range by RPN 0", (0.0, "b0 65 00"), (0.0, "b0 64 00"), (0.0, "b0 06 0c"), (0.1, "e0 00 60")),
    _with("fine tuning by RPN 1", (0.0, "b0 65 00"), (0.0, "b0 64 01"), (0.0, "b0 06 60"), (0.0, "b0 26 10")),
    _with("coarse tuning by RPN 2", (0.0, "b0 65 00"), (0.0, "b0 64 02"), (0.0, "b0 06 43")),
    _with("brightness by NRPN", (0.0, "b0 63 01"), (0.0, "b0 62 20"), (0.0, "b0 06 70")),
    _with("all sound off", (0.15, "b0 78 00")),
    _with("all notes off", (0.15, "b0 7b 00")),
    ("mono", [(0.0, "b0 7e 01"), (0.01, "90 3c 64"), (0.15, "90 43 64"), (0.3, "80 43 40"), (0.4, "80 3c 40")]),
    (
        "bank of a path",
        [(0.0, "b0 00 7d"), (0.001, "b0 20 17"), (0.002, "c0 28"), (0.01, "90 3c 64"), (0.3, "80 3c 40")],
    ),
    (
        "MPE",
        [
            (0.0, "b0 65 00"),
            (0.001, "b0 64 06"),
            (0.002, "b0 06 03"),
            (0.01, "91 3c 64"),
            (0.02, "92 43 50"),
            (0.1, "e1 00 48"),
            (0.12, "e2 00 38"),
            (0.15, "d1 60"),
            (0.2, "b2 4a 70"),
            (0.4, "81 3c 40"),
            (0.4, "82 43 40"),
        ],
    ),
]

SYSTEM_SCENES: list[Scene] = [
    ("master volume", [(0.0, "90 3c 64"), (0.1, "f0 7f 7f 04 01 00 20 f7"), (0.3, "80 3c 40")]),
    ("master tuning", [(0.0, "f0 7f 7f 04 03 00 60 f7"), (0.01, "90 3c 64"), (0.3, "80 3c 40")]),
    ("GS pan of a part", [(0.0, "f0 41 10 42 12 40 11 1c 10 03 f7"), (0.01, "90 3c 64"), (0.3, "80 3c 40")]),
    ("GM system on", [(0.0, "90 3c 64"), (0.2, "f0 7e 7f 09 01 f7")]),
]

_FRESH = [
    *(f"{0xB0 | c:02x} 78 00" for c in range(16)),
    *(f"{0xB0 | c:02x} 79 00" for c in range(16)),
    "b0 7f 00",
    "b0 07 64",
    "b0 0a 40",
    "b0 47 40",
    "b0 48 40",
    "b0 49 40",
    "b0 4a 40",
    "b0 4b 40",
    "b0 5b 28",
    "b0 5d 00",
    "b0 00 00",
    "b0 20 00",
    "b0 05 00",
]


def timeline(scenes: list[Scene], rate: int) -> list[tuple[int, bytes]]:
    """Play scenes one after the other, each from a fresh channel; no two messages lie in one frame."""
    events: list[tuple[int, bytes]] = []
    for number, (_, messages) in enumerate(scenes):
        begin = round(number * SCENE_S * rate)
        fresh = [(begin + index, bytes.fromhex(data)) for index, data in enumerate(_FRESH)]
        last = begin + len(fresh)
        scene = []
        for seconds, data in sorted(messages, key=lambda one: one[0]):
            last = max(begin + len(fresh) + round(seconds * rate), last + 1)
            scene.append((last, bytes.fromhex(data)))
        events += fresh + scene
    return events
