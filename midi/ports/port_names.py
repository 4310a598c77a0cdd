"""Which port is which: names that stay when others come and go, and what a player means by a number or a name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from ...errors import DeviceError

OWN_NAME: Final = "tnca-synth"
NAMELESS: Final = "nameless port"
_NOT_HARDWARE: Final = re.compile(r"through|virtual|timidity|fluid|rtmidi|rtpmidi|loop|announce|tnca-synth", re.I)
_JACK_HARDWARE: Final = re.compile(r"^(system|a2j|alsa|midi-bridge)", re.I)
_ALSA_NUMBERS: Final = re.compile(r"\s+\d+:\d+$")
# Numbers within JACK's names: the ALSA client as a2jmidid and PipeWire write it, and what makes a client's name unique.
_JACK_NUMBERS: Final = re.compile(r" \[\d+\](?= \()|\s+\d+:\d+(?=$|:\()|-\d\d(?=:)")


@dataclass(frozen=True)
class PortName:
    """A port as its system lists it at one moment.

    Attributes
    ----------
    index : place in the list
    raw : the system's own name, which may hold numbers that change at every plugging
    repeat : which of the ports of the same raw name it is, from 1
    name : the raw name without such numbers
    occurrence : which of the ports of the same name it is, from 1
    """

    index: int
    raw: str
    repeat: int
    name: str
    occurrence: int

    @property
    def key(self) -> tuple[str, int]:
        """What tells the port from the others for as long as it stays plugged in."""
        return self.raw, self.repeat

    @property
    def label(self) -> str:
        """Name for people; the second of the same name is "NAME (2)"."""
        return label(self.name, self.occurrence)


def label(name: str, occurrence: int) -> str:
    """Return a port's name for people."""
    return (name or NAMELESS) if occurrence == 1 else f"{name or NAMELESS} ({occurrence})"


def port_names(names: Sequence[str | None], system: str) -> list[PortName]:
    """Return the ports of a list; those that vanished while they were listed (None) are left out.

    Parameters
    ----------
    names : sequence of str or None
        In the system's order.
    system : str
        Name of the MIDI system, such as "ALSA" or "Jack".
    """
    raws: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    ports = []
    for index, raw in enumerate(names):
        if raw is not None:
            name = stable_name(raw, system, index)
            raws[raw] += 1
            seen[name] += 1
            ports.append(PortName(index, raw, raws[raw], name, seen[name]))
    return ports


def stable_name(raw: str, system: str = "ALSA", index: int = -1) -> str:
    """Return a port's name without the numbers that its system gives anew when it, or another one, is plugged in."""
    if is_jack(system):
        return _JACK_NUMBERS.sub("", raw).strip()
    if "windows" in system.lower():  # RtMidi appends the place in the list
        return raw.removesuffix(f" {index}").strip()
    return _ALSA_NUMBERS.sub("", raw).strip()


def is_jack(system: str) -> bool:
    """Tell whether a MIDI system is JACK."""
    return "jack" in system.lower()


def hardware(ports: Sequence[PortName], system: str) -> list[PortName]:
    """Return the ports that look like hardware, in their order."""
    return [
        port
        for port in ports
        if not _NOT_HARDWARE.search(port.raw) and (not is_jack(system) or _JACK_HARDWARE.search(port.raw))
    ]


def choose(wanted: str, ports: Sequence[PortName], taken: Collection[PortName] = ()) -> PortName:
    """Return the port that a number or a part of a name means.

    Parameters
    ----------
    wanted : str
        Place in the list, or a part of a name in any case; a whole name goes before a part of one.
    ports : sequence of PortName
    taken : collection of PortName
        Chosen before: a name that fits several ports means the next of them.

    Raises
    ------
    DeviceError
        If there is none; it lists what there is.
    """
    others = [port for port in ports if OWN_NAME not in port.raw]
    if wanted.isdecimal():
        numbered = [port for port in ports if port.index == int(wanted)]
        fitting = numbered or [port for port in others if wanted in port.label]  # but not in ALSA's numbers
    else:
        text = wanted.lower()
        fitting = [port for port in others if text in (port.label.lower(), port.raw.lower())]
        fitting += [port for port in others if text in port.label.lower() or text in port.raw.lower()]
    for port in fitting:
        if port not in taken:
            return port
    if fitting:
        return fitting[0]
    there = ", ".join(f"{port.index}: {port.label}" for port in ports) or "none"
    raise DeviceError(f"no MIDI input port matches {wanted!r}; there are: {there} (see: tnca-synth devices)")
