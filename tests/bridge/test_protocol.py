"""Both sides of the bridge mean the same: structures, numbers, parameters."""

import subprocess
from pathlib import Path

import pytest
from bridge_client import SOURCES

from tnca_synth.bridge import layout
from tnca_synth.bridge.parameters import INDEX, PARAMETERS, header
from tnca_synth.engine.open import open_synth

NUMBERS = {
    "TNCA_MAGIC": layout.MAGIC,
    "TNCA_PROTOCOL": layout.PROTOCOL,
    "TNCA_MAX_BLOCK": layout.MAX_BLOCK,
    "TNCA_MIN_AHEAD": layout.MIN_AHEAD,
    "TNCA_MAX_EXTRA": layout.MAX_EXTRA,
    "TNCA_MAX_MESSAGE": layout.MAX_MESSAGE,
    "TNCA_MAX_PACKET": layout.MAX_PACKET,
    "TNCA_EVENT_BYTES": layout.EVENT_BYTES,
    "TNCA_MAX_INSTRUMENTS": layout.MAX_INSTRUMENTS,
    "TNCA_INSTRUMENT_STANDS_IN": layout.STANDS_IN,
    "TNCA_INSTRUMENT_USER": layout.USER,
    "TNCA_INSTRUMENT_DRUMS": layout.DRUMS,
    "TNCA_LATENCY(44100, 64)": layout.latency_frames(44_100, 64),
    "TNCA_LATENCY(96000, 1000)": layout.latency_frames(96_000, 1000),
    "TNCA_LINK_SIZE(4096, 1024)": layout.link_size(4096, 1024),
    **{f"TNCA_EVENT_{kind.name}": int(kind) for kind in layout.EventKind},
    **{f"TNCA_PACKET_{kind.name}": int(kind) for kind in layout.PacketKind},
    **{f"TNCA_LINK_{state.name}": int(state) for state in layout.LinkState},
}


def compiled_answers(folder: Path, expressions: list[str]) -> list[int]:
    """Return what C says of expressions."""
    lines = [f'printf("%lld\\n", (long long)({one}));' for one in expressions]
    source = folder / "ask.c"
    includes = '#include <stddef.h>\n#include <stdio.h>\n#include "protocol.h"\n'
    source.write_text(f"{includes}int main(void) {{\n{chr(10).join(lines)}\nreturn 0;\n}}\n")
    program = folder / "ask"
    subprocess.run(["cc", "-std=gnu11", "-w", f"-I{SOURCES}", str(source), "-o", str(program)], check=True)
    output = subprocess.run([str(program)], capture_output=True, text=True, check=True).stdout
    return [int(line) for line in output.split()]


def test_structures_are_the_same_in_both_languages(tmp_path: Path) -> None:
    asked: dict[str, int] = dict(NUMBERS)
    for name, structure in layout.STRUCTURES.items():
        asked[f"sizeof({name})"] = layout.ctypes.sizeof(structure)
        for field, *_ in structure._fields_:
            place = getattr(structure, field)
            asked[f"offsetof({name}, {field})"] = place.offset
            asked[f"sizeof((({name} *)0)->{field})"] = place.size
    answers = compiled_answers(tmp_path, list(asked))
    assert dict(zip(asked, answers, strict=True)) == asked


def test_names_of_files_are_the_same(tmp_path: Path) -> None:
    source = (SOURCES / "protocol.h").read_text()
    for name, value in (("FOLDER", layout.FOLDER), ("SOCKET", layout.SOCKET), ("LOCK", layout.LOCK)):
        assert f'#define TNCA_{name} "{value}"' in source


def test_the_header_of_parameters_is_the_table() -> None:
    assert (SOURCES / "parameters.h").read_text() == header()


def test_parameters_are_well_made() -> None:
    assert len(INDEX) == len(PARAMETERS)
    for one in PARAMETERS:
        assert one.low <= one.default <= one.high
        assert one.symbol.isidentifier() and '"' not in one.name + "".join(one.choices)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 37_111, 44_100, 48_000, 88_200, 96_000, 192_000])
def test_the_look_ahead_is_long_enough_for_the_synth(rate: int) -> None:
    assert open_synth(sample_rate=rate).latency_frames <= layout.look_ahead_frames(rate)


def test_the_headers_are_c_and_cpp(tmp_path: Path) -> None:
    source = tmp_path / "both.c"
    source.write_text('#include "client.h"\nint main(void) { return 0; }\n')
    for command in (["cc", "-std=c11"], ["c++", "-x", "c++", "-std=c++11"]):
        subprocess.run(
            [*command, "-Wall", "-Wextra", "-Werror", "-fsyntax-only", f"-I{SOURCES}", str(source)], check=True
        )
