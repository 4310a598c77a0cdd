"""SoundFonts of every length and with every fault: made here, of one sine."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from tnca_synth.engine.spectra.spec import AudioSpec
from tnca_synth.errors import DatasetError
from tnca_synth.training.config.instruments import InstrumentConfig
from tnca_synth.training.config.run import DataConfig
from tnca_synth.training.data.dataset import load_notes
from tnca_synth.training.sources.soundfont import SoundFont
from tnca_synth.training.sources.soundfont_file import SoundFontFile, check_programs

pytestmark = pytest.mark.slow

RATE = 22050
POINTS = 20_000


def chunk(name: bytes, body: bytes, pad: bool = True) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2 if pad else 0)


def soundfont(
    points: int = POINTS, with_24_bits: bool = True, presets: tuple[tuple[str, int, int], ...] = (("Sine", 0, 0),),
    pad: bool = True, info: bytes = b"test\0\0",
) -> bytes:  # fmt: skip
    """Return an SF2 file of one looped sine of A4, played by presets, each a name, a program and a bank."""
    wave = np.round(12000 * np.sin(2 * np.pi * 440 * np.arange(points) / 44100)).astype("<i2").tobytes() + bytes(92)
    bodies = chunk(b"smpl", wave, pad)
    if with_24_bits:
        bodies += chunk(b"sm24", bytes(len(wave) // 2), pad)
    records = [(name, program, bank, i) for i, (name, program, bank) in enumerate(presets)]
    phdr = b"".join(
        struct.pack("<20sHHHIII", name.encode(), program, bank, bag, 0, 0, 0)
        for name, program, bank, bag in [*records, ("EOP", 0, 0, len(records))]
    )
    count = len(presets)
    pbag = b"".join(struct.pack("<HH", i, 0) for i in range(count + 1))
    pgen = b"".join(struct.pack("<HH", 41, 0) for _ in range(count)) + bytes(4)
    inst = struct.pack("<20sH", b"Sine", 0) + struct.pack("<20sH", b"EOI", 1)
    ibag = struct.pack("<HH", 0, 0) + struct.pack("<HH", 2, 0)
    igen = struct.pack("<HH", 54, 1) + struct.pack("<HH", 53, 0) + bytes(4)
    shdr = struct.pack("<20sIIIIIBbHH", b"sine", 0, points, 0, points - points % 441, 44100, 69, 0, 0, 1)
    shdr += struct.pack("<20sIIIIIBbHH", b"EOS", 0, 0, 0, 0, 0, 0, 0, 0, 0)
    parts = {
        b"phdr": phdr, b"pbag": pbag, b"pmod": bytes(10), b"pgen": pgen, b"inst": inst, b"ibag": ibag,
        b"imod": bytes(10), b"igen": igen, b"shdr": shdr,
    }  # fmt: skip
    pdta = b"pdta" + b"".join(chunk(name, body) for name, body in parts.items())
    texts = b"INFO" + chunk(b"ifil", struct.pack("<HH", 2, 4)) + chunk(b"INAM", info, pad)
    return chunk(b"RIFF", b"sfbk" + chunk(b"LIST", texts) + chunk(b"LIST", b"sdta" + bodies) + chunk(b"LIST", pdta))


def saved(folder: Path, content: bytes, name: str = "test.sf2") -> Path:
    (folder / name).write_bytes(content)
    return folder / name


def sound(path: Path) -> np.ndarray:
    return SoundFont(path, RATE).render(0, 69, 100, 0.3, 0.1, False)


@pytest.mark.parametrize("points", [POINTS, POINTS + 1])
@pytest.mark.parametrize("with_24_bits", [False, True])
@pytest.mark.parametrize("pad", [False, True])
@pytest.mark.parametrize("info", [b"test\0\0", b"odd"])
def test_a_soundfont_of_any_length_sounds(
    points: int, with_24_bits: bool, pad: bool, info: bytes, tmp_path: Path
) -> None:
    audio = sound(saved(tmp_path, soundfont(points, with_24_bits, pad=pad, info=info)))
    even = sound(saved(tmp_path, soundfont(), "even.sf2"))
    assert np.abs(audio[: RATE // 4]).max() > 0.1
    np.testing.assert_allclose(audio[: RATE // 4], even[: RATE // 4], atol=1e-3)


def test_a_program_that_is_missing_is_named_before_anything_is_rendered(tmp_path: Path) -> None:
    path = saved(tmp_path, soundfont(presets=(("Sine", 0, 0), ("Reed", 70, 0), ("Kit", 0, 128))))
    data = DataConfig(
        soundfont=str(path), velocities=(64,), holds_s=((0.1,),), tail_s=0.1,
        instruments=(InstrumentConfig("sine", 0, 60, 61), InstrumentConfig("violin", 40, 60, 61)),
    )  # fmt: skip
    told: list[str] = []
    with pytest.raises(DatasetError) as caught:
        load_notes(data, AudioSpec(), tmp_path / "cache", report=told.append)
    assert str(caught.value) == f"instrument violin: program 40 is not in {path}, which has 0 Sine, 70 Reed"
    assert not told
    assert not (tmp_path / "cache").exists()
    check_programs(path, [InstrumentConfig("kit", 25, 35, 36, pitched=False, drum_keys=True)])  # the first kit plays


def test_a_single_note_of_a_missing_program_is_the_same_line(tmp_path: Path) -> None:
    path = saved(tmp_path, soundfont())
    with pytest.raises(DatasetError, match=r"program 40 is not in .*test.sf2, which has 0 Sine"):
        SoundFont(path, RATE).render(40, 69, 100, 0.1, 0.1, False)


def test_a_soundfont_without_a_drum_kit_says_so(tmp_path: Path) -> None:
    path = saved(tmp_path, soundfont())
    with pytest.raises(DatasetError, match=r"instrument kit: drum kit 0 is not in .*, which has no drum kits"):
        check_programs(path, [InstrumentConfig("kit", 0, 35, 36, pitched=False, drum_keys=True)])


def test_a_program_in_another_bank_alone_is_missing(tmp_path: Path) -> None:
    path = saved(tmp_path, soundfont(presets=(("Variation", 40, 8),)))
    with pytest.raises(DatasetError, match="drum kits and variations alone"):
        check_programs(path, [InstrumentConfig("violin", 40)])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (soundfont()[:30_000], "it is cut off: 30,000 of "),
        (soundfont()[:-200], "it is cut off: "),
        (soundfont(presets=()), "it holds no presets"),
        (b"MThd" + bytes(100), "it begins with b'MThd', expected a RIFF file"),
        (chunk(b"RIFF", b"WAVE" + bytes(100)), "expected a RIFF file of the kind 'sfbk'"),
        (b"", "expected a RIFF file"),
    ],
)
def test_what_is_no_whole_soundfont_is_one_line(content: bytes, words: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        SoundFont(saved(tmp_path, content), RATE)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_name_that_ends_otherwise_changes_nothing(tmp_path: Path) -> None:
    path = saved(tmp_path, Path(DataConfig().soundfont).read_bytes(), "renamed.sf2")
    assert any(one.name == "Violin" for one in SoundFontFile(path).presets)
    assert np.abs(SoundFont(path, RATE).render(40, 69, 100, 0.2, 0.1, False)).max() > 0.01
