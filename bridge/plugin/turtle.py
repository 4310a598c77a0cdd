"""The LV2 plugin's description in Turtle, from the table of parameters; `lv2.cpp` has the same order of ports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ...version import __version__
from ..parameters import PARAMETERS

URI: Final = "urn:tnca-synth:synth"
DESCRIPTION: Final = "tnca-synth.ttl"
FIRST_PARAMETER_PORT: Final = 3
"""Behind the left and right channel and the events."""
_UNITS: Final = {"dB": "units:db", "cents": "units:cent", "%": "units:pc", "ms": "units:ms", "frames": "units:frame"}
_PREFIXES: Final = """\
@prefix atom:  <http://lv2plug.in/ns/ext/atom#> .
@prefix bufsz: <http://lv2plug.in/ns/ext/buf-size#> .
@prefix doap:  <http://usefulinc.com/ns/doap#> .
@prefix foaf:  <http://xmlns.com/foaf/0.1/> .
@prefix lv2:   <http://lv2plug.in/ns/lv2core#> .
@prefix midi:  <http://lv2plug.in/ns/ext/midi#> .
@prefix opts:  <http://lv2plug.in/ns/ext/options#> .
@prefix pg:    <http://lv2plug.in/ns/ext/port-groups#> .
@prefix pprop: <http://lv2plug.in/ns/ext/port-props#> .
@prefix rdf:   <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .
@prefix rdfs:  <http://www.w3.org/2000/01/rdf-schema#> .
@prefix rsz:   <http://lv2plug.in/ns/ext/resize-port#> .
@prefix state: <http://lv2plug.in/ns/ext/state#> .
@prefix time:  <http://lv2plug.in/ns/ext/time#> .
@prefix units: <http://lv2plug.in/ns/extensions/units#> .
@prefix urid:  <http://lv2plug.in/ns/ext/urid#> .
"""


@dataclass(frozen=True)
class _Control:
    """A port with one number."""

    symbol: str
    name: str
    low: float
    high: float
    default: float
    unit: str = ""
    choices: tuple[str, ...] = ()
    is_whole: bool = False
    is_output: bool = False
    designation: str = ""


_OWN: Final = (
    _Control("enabled", "Enabled", 0, 1, 1, is_whole=True, designation="lv2:enabled"),
    _Control(
        "engine",
        "Engine",
        0,
        7,
        0,
        choices=(
            "inactive",
            "starting",
            "running",
            "overloaded",
            "not answering",
            "missing",
            "other version",
            "failed",
        ),
        is_whole=True,
        is_output=True,
    ),
    _Control("voices", "Voices", 0, 1024, 0, is_whole=True, is_output=True),
    _Control("load", "Load", 0, 400, 0, unit="%", is_output=True),
    _Control("late", "Late blocks", 0, 1_000_000, 0, is_whole=True, is_output=True),
    _Control("latency", "Latency", 0, 200_000, 0, unit="frames", is_output=True, designation="lv2:latency"),
    _Control("free_wheeling", "Free-wheeling", 0, 1, 0, is_whole=True, designation="lv2:freeWheeling"),
)


def manifest(library: str) -> str:
    """Return `manifest.ttl`, which says where everything is."""
    return f"""\
@prefix lv2:  <http://lv2plug.in/ns/lv2core#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .

<{URI}>
    a lv2:Plugin , lv2:InstrumentPlugin ;
    lv2:binary <{library}> ;
    rdfs:seeAlso <{DESCRIPTION}> .
"""


def plugin_description() -> str:
    """Return the description of the plugin and all its ports."""
    ports = [_audio(0, "left", "Left"), _audio(1, "right", "Right"), _EVENTS]
    ports += [_control(FIRST_PARAMETER_PORT + index, one) for index, one in enumerate((*_table(), *_OWN))]
    major, minor, micro = (int(part) for part in (*__version__.split("."), "0", "0")[:3])
    return f"""{_PREFIXES}
<{URI}>
    a lv2:Plugin , lv2:InstrumentPlugin , doap:Project ;
    doap:name "TNCA Synth" ;
    doap:shortdesc "A neural instrument: cellular automata grow every note" ;
    doap:license <http://opensource.org/licenses/mit> ;
    doap:maintainer [ foaf:name "tnca-synth" ] ;
    lv2:minorVersion {2 * (major * 100 + minor)} ;
    lv2:microVersion {2 * micro} ;
    lv2:requiredFeature urid:map ;
    lv2:optionalFeature lv2:hardRTCapable , opts:options , bufsz:boundedBlockLength ;
    lv2:extensionData state:interface , opts:interface ;
    opts:supportedOption bufsz:maxBlockLength , bufsz:nominalBlockLength ;
    lv2:port {" , ".join(ports)} .
"""


def _table() -> tuple[_Control, ...]:
    return tuple(
        _Control(one.symbol, one.name, one.low, one.high, one.default, one.unit, one.choices, one.is_whole)
        for one in PARAMETERS
    )


_EVENTS: Final = """[
        a lv2:InputPort , atom:AtomPort ;
        lv2:index 2 ;
        lv2:symbol "events" ;
        lv2:name "MIDI" ;
        lv2:designation lv2:control ;
        atom:bufferType atom:Sequence ;
        atom:supports midi:MidiEvent , time:Position ;
        rsz:minimumSize 65536
    ]"""


def _audio(index: int, symbol: str, name: str) -> str:
    return f"""[
        a lv2:OutputPort , lv2:AudioPort ;
        lv2:index {index} ;
        lv2:symbol "{symbol}" ;
        lv2:name "{name}" ;
        lv2:designation pg:{symbol}
    ]"""


def _control(index: int, one: _Control) -> str:
    lines = [
        f"a {'lv2:OutputPort' if one.is_output else 'lv2:InputPort'} , lv2:ControlPort",
        f"lv2:index {index}",
        f'lv2:symbol "{one.symbol}"',
        f'lv2:name "{one.name}"',
        f"lv2:default {_number(one.default)}",
        f"lv2:minimum {_number(one.low)}",
        f"lv2:maximum {_number(one.high)}",
    ]
    if one.designation:
        lines.append(f"lv2:designation {one.designation}")
    if one.designation == "lv2:latency":
        lines.append("lv2:portProperty lv2:reportsLatency")
    if one.designation == "lv2:freeWheeling":
        lines.append("lv2:portProperty pprop:notOnGUI")
    if one.is_whole:
        lines.append(f"lv2:portProperty {'lv2:toggled' if (one.low, one.high) == (0, 1) else 'lv2:integer'}")
    if len(one.choices) == one.high - one.low + 1:
        lines.append("lv2:portProperty lv2:enumeration")
    if one.unit in _UNITS:
        lines.append(f"units:unit {_UNITS[one.unit]}")
    lines += [
        f'lv2:scalePoint [ rdfs:label "{label}" ; rdf:value {_number(one.low + step)} ]'
        for step, label in enumerate(one.choices)
    ]
    return "[\n        " + " ;\n        ".join(lines) + "\n    ]"


def _number(value: float) -> str:
    return f"{value:.9g}" if value % 1 else f"{value:.1f}"
