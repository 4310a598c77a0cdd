"""The settings file is found, checked with hints, and gets learned controllers without losing a comment."""

import os
import stat
from pathlib import Path

import pytest

from tnca_synth.errors import UsageError
from tnca_synth.live.options import BY_KEY, OPTIONS
from tnca_synth.live.protocol import LiveOptions
from tnca_synth.live.settings import FILE_NAME, Settings, find_settings, read_settings, store_control, user_folder

WHOLE = """
midi-in = ["Keystation", "2"]
audio-out = "Scarlett"
host-api = "JACK"
sample-rate = 48_000
block-size = 64
instrument = "Cello"
lock-instrument = "Violin"
representation = "MEL"
decoder = "vocoder"
channel = 3
max-voices = 32
seed = 5
provider = "cpu"
bank = "mine"
growth-cc = true

[cc]
74 = "brightness"
1 = "Modulation"
21 = "growth-rate"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / FILE_NAME
    path.write_text(text)
    return path


def test_every_option_can_be_set(tmp_path: Path) -> None:
    path = written(tmp_path, WHOLE)
    settings = read_settings(path)
    assert settings == Settings(
        path=path,
        midi_in=("Keystation", "2"),
        audio_out="Scarlett",
        host_api="JACK",
        sample_rate=48_000,
        block_size=64,
        instrument="Cello",
        lock_instrument="Violin",
        representation="mel",
        decoder="vocoder",
        channel=3,
        max_voices=32,
        seed=5,
        provider="cpu",
        bank=tmp_path / "mine",
        growth_cc=True,
        cc={74: "brightness", 1: "modulation", 21: "growth-rate"},
    )
    assert set(settings.given()) == {option.field for option in OPTIONS if option.stored}


def test_every_option_is_one_of_live_play() -> None:
    fields = {option.field for option in OPTIONS} - {"bank"} | {"bank_path", "cc_map", "mapping"}
    assert fields == set(LiveOptions.__dataclass_fields__)


def test_no_file_and_an_empty_file_set_nothing(tmp_path: Path) -> None:
    assert read_settings(None) == Settings()
    path = written(tmp_path, "")
    assert read_settings(path) == Settings(path=path)
    assert Settings().given() == {}


def test_one_port_needs_no_list(tmp_path: Path) -> None:
    assert read_settings(written(tmp_path, 'midi-in = "Nano"')).midi_in == ("Nano",)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("block_size = 64", "unknown setting 'block_size': did you mean 'block-size'?"),
        ('Instrument = "x"', "unknown setting 'Instrument': did you mean 'instrument'?"),
        ('record = "a.wav"', "unknown setting 'record'"),
        ("block-size = 3", "block-size: expected a whole number in 16..8192, got 3"),
        ("block-size = true", "block-size: expected a whole number in 16..8192, got True"),
        ("seed = 1.5", "seed: expected a whole number in"),
        ("instrument = 300", "instrument: expected a whole number in 0..127, got 300"),
        ("instrument = 1.5", "instrument: expected a text, got 1.5"),
        ('instrument = " "', "instrument: expected a text, got ' '"),
        ('midi-in = ["a", 1]', "midi-in: expected a text, got 1"),
        ('decoder = "harmonc"', "decoder: unknown decoder 'harmonc': did you mean 'harmonic'?"),
        ('cc = "brightness"', "expected a table [cc] of lines such as 74 ="),
        ('[cc]\n74 = "brightnes"', "[cc] 74: unknown target 'brightnes': did you mean 'brightness'?"),
        ('[cc]\n120 = "volume"', "[cc] 120: expected a whole number in 0..119, got '120'"),
        ('[cc]\nx = "volume"', "[cc] x: expected a whole number in 0..119, got 'x'"),
        ("[cc]\n7 = 3", "[cc] 7: expected the name of what it moves, got 3"),
        ("a =", "is not TOML: "),
    ],
)
def test_a_wrong_line_is_named_with_a_hint(tmp_path: Path, text: str, told: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UsageError) as error:
        read_settings(path)
    assert str(error.value).startswith(str(path))
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    path.write_bytes(b"instrument = '\xff'")
    with pytest.raises(UsageError, match="is not TOML"):
        read_settings(path)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read the settings .*No such file"):
        read_settings(tmp_path / "none.toml")


def test_settings_check_themselves() -> None:
    with pytest.raises(UsageError, match="expected a whole number in 16"):
        Settings(block_size=1)
    with pytest.raises(UsageError, match="unknown target"):
        Settings(cc={7: "loudness"})


def test_this_folder_comes_before_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, home = tmp_path / "here", tmp_path / "home"
    here.mkdir()
    (home / "tnca-synth").mkdir(parents=True)
    monkeypatch.chdir(here)
    monkeypatch.setattr("tnca_synth.live.settings.user_folder", lambda: home / "tnca-synth")
    assert find_settings() is None
    theirs = written(home / "tnca-synth", "")
    assert find_settings() == theirs
    written(here, "")
    assert find_settings() == Path(FILE_NAME)


@pytest.mark.parametrize(
    ("platform", "environment", "folder"),
    [
        ("linux", {"XDG_CONFIG_HOME": "/config"}, Path("/config/tnca-synth")),
        ("linux", {"XDG_CONFIG_HOME": "relative"}, Path.home() / ".config" / "tnca-synth"),
        ("linux", {}, Path.home() / ".config" / "tnca-synth"),
        ("darwin", {}, Path.home() / "Library" / "Application Support" / "tnca-synth"),
        ("win32", {"APPDATA": "/roaming"}, Path("/roaming/tnca-synth")),
    ],
)
def test_every_platform_has_its_folder(platform: str, environment: dict[str, str], folder: Path) -> None:
    assert user_folder(platform, environment) == folder


def test_a_learned_controller_leaves_the_rest_alone(tmp_path: Path) -> None:
    before = '# mine\r\ninstrument = "cello"  # warm\r\n\r\n[cc]\r\n# the left wheel\r\n1 = "modulation"\r\n'
    path = tmp_path / FILE_NAME
    path.write_bytes(before.encode())
    store_control(path, 74, "brightness")
    text = path.read_bytes().decode()
    assert text.startswith(before)
    assert read_settings(path).cc == {1: "modulation", 74: "brightness"}
    store_control(path, 1, "reverb")
    assert "# the left wheel" in path.read_text()
    assert read_settings(path).cc == {1: "reverb", 74: "brightness"}
    assert os.listdir(tmp_path) == [FILE_NAME]


def test_a_controller_is_learned_without_a_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / FILE_NAME
    store_control(path, 21, "reverb")
    assert path.read_text() == '[cc]\n21 = "reverb"\n'
    assert read_settings(path).cc == {21: "reverb"}


def test_a_link_stays_a_link_and_permissions_stay(tmp_path: Path) -> None:
    real = written(tmp_path, "seed = 1\n")
    real.chmod(0o600)
    link = tmp_path / "link.toml"
    link.symlink_to(real)
    store_control(link, 21, "reverb")
    assert link.is_symlink()
    assert read_settings(real).cc == {21: "reverb"}
    assert stat.S_IMODE(real.stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["a =", 'cc = "x"', "\N{LATIN SMALL LETTER E WITH ACUTE} = 1 = 2"])
def test_a_damaged_file_is_not_written_over(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UsageError, match="cannot add to the settings"):
        store_control(path, 21, "reverb")
    assert path.read_text() == text
    assert os.listdir(tmp_path) == [FILE_NAME]


def test_a_failed_write_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, "seed = 1\n")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UsageError, match=r"cannot write the settings .*No space left"):
        store_control(path, 21, "reverb")
    assert path.read_text() == "seed = 1\n"
    assert os.listdir(tmp_path) == [FILE_NAME]


def test_a_sound_file_must_be_possible(tmp_path: Path) -> None:
    check = BY_KEY["record"].check
    assert check(str(tmp_path / "take.wav")) == tmp_path / "take.wav"
    for wrong, told in (("take.mp3", "ends in .wav or .flac"), ("none/take.wav", "its folder does not exist")):
        with pytest.raises(UsageError, match=told):
            check(str(tmp_path / wrong))
    (tmp_path / "a.wav").mkdir()
    with pytest.raises(UsageError, match="it is a folder"):
        check(str(tmp_path / "a.wav"))


def test_a_byte_order_mark_is_read_and_kept(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    path.write_bytes(b"\xef\xbb\xbfinstrument = 'cello'\r\nseed = 3\r\n")
    assert read_settings(path).instrument == "cello"
    store_control(path, 74, "brightness")
    assert path.read_bytes().startswith(b"\xef\xbb\xbfinstrument = 'cello'\r\n")
    assert read_settings(path).cc == {74: "brightness"}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "latin-1"])
def test_another_encoding_is_said(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / FILE_NAME
    marks = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}
    path.write_bytes(marks.get(encoding, b"") + "instrument = 'cellö'\n".encode(encoding))
    expected = "can't decode byte" if encoding == "latin-1" else "UTF-16, expected UTF-8; save it again as UTF-8"
    with pytest.raises(UsageError, match=expected) as caught:
        read_settings(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["pipe", "zero", "folder", "huge"])
def test_settings_that_are_no_file_are_refused_at_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / FILE_NAME
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "zero":
        path = Path("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    else:
        path.write_bytes(b"#" * (2**20 + 1))
    with pytest.raises(
        UsageError, match=r"cannot read the settings .*(regular file|directory|more than 1048576 bytes)"
    ):
        read_settings(path)
