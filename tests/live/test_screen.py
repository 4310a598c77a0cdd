"""The screen shows a session, plays and changes it, keeps what it learns, and leaves nothing sounding."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from fake_session import FakeSession
from textual.pilot import Pilot
from textual.widgets import OptionList, RichLog

from tnca_synth.errors import DeviceError
from tnca_synth.live.protocol import GrowthStatus, PartStatus
from tnca_synth.live.screen.choosers import Chooser, fitting
from tnca_synth.live.screen.growth_keys import STEP
from tnca_synth.live.screen.screen import PlayScreen
from tnca_synth.live.settings import FILE_NAME, read_settings
from tnca_synth.midi.spec.growth_controllers import (
    DAMAGE,
    FIRE_RATE,
    GROWTH_RATE,
    LIFE_THRESHOLD,
    MORPH_PROGRAMS,
    MORPH_X,
    growth_message,
)

pytestmark = pytest.mark.slow

ROWS = 24
COLUMNS = 80
C4 = 60
TestBody = Callable[[PlayScreen, Pilot[int]], Awaitable[None]]


@pytest.fixture
def session() -> FakeSession:
    return FakeSession()


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    return tmp_path / FILE_NAME


def on_screen(session: FakeSession, settings: Path, body: TestBody, columns: int = COLUMNS, rows: int = ROWS) -> int:
    """Do something on the screen; return the exit status."""

    async def run() -> int:
        app = PlayScreen(session, settings)
        async with app.run_test(size=(columns, rows)) as pilot:
            await settled(pilot)
            await body(app, pilot)
            await pilot.press("ctrl+c")
        return app.return_value if app.return_value is not None else -1

    return asyncio.run(run())


async def settled(pilot: Pilot[int]) -> None:
    """Wait until the screen has looked at the session again and is drawn."""
    await pilot.pause(0.1)
    await pilot.pause()


def shown(app: PlayScreen) -> list[str]:
    """Return the rows of the screen as text."""
    lines = app.screen._compositor.render_strips()
    return ["".join(segment.text for segment in strip) for strip in lines]


def messages(app: PlayScreen) -> list[str]:
    return [strip.text.strip() for strip in app.screen_stack[0].query_one("#messages", RichLog).lines]


def row_with(app: PlayScreen, text: str) -> str:
    return next((row for row in shown(app) if text in row), "")


def test_all_is_shown_in_80_by_24(session: FakeSession, settings: Path) -> None:
    async def body(app: PlayScreen, pilot: Pilot[int]) -> None:
        rows = shown(app)
        assert len(rows) == ROWS and all(len(row) == COLUMNS for row in rows)
        text = "\n".join(rows)
        for told in (
            "cello", "dual", "harmonic", "5/64", "-14.2 dB", "-15.6 dB", "31%", "0 underruns, 0 xruns",
            "latency 7.4 ms", "not recording", "Keystation 49 MK3", "system, 48,000 Hz, blocks of 128",
            "Note on C4, velocity 96, channel 1", "z/x octave C4", "c/v touch 96", "space  pedal up",
            "as MIDI says  tab: lock", " 1 cello", " 3 grand-piano", "for Ha", "10 drums",
            "1 2 Rate", "1.00", "3 4 Fire rate", "100%", "5 6 Threshold", "0.10", "8 9 Morph", ", chooses",
            "7 Damage", "0 all neutral", "- By CC     off", "Audio output: system at 48000 Hz",
            "i Instrument", "n Grown as", "r Decoder", "m Learn", "b Record", ". In", "/ Out", "esc Panic", "q Quit",
        ):  # fmt: skip
            assert told in text, told

    assert on_screen(session, settings, body) == 0


@pytest.mark.parametrize(("columns", "rows"), [(20, 5), (300, 90)])
def test_other_sizes_do_not_break_it(session: FakeSession, settings: Path, columns: int, rows: int) -> None:
    async def body(app: PlayScreen, pilot: Pilot[int]) -> None:
        assert len(shown(app)) == rows

    assert on_screen(session, settings, body, columns, rows) == 0


def test_changes_are_shown(session: FakeSession, settings: Path) -> None:
    async def body(app: PlayScreen, pilot: Pilot[int]) -> None:
        session.show(
            instrument="", voices=64, underruns=2, xruns=1, midi_ports=(), peak_left_db=-120.0, peak_right_db=3.0,
            load=1.7, notices=(*session.moment.notices[1:], "Keystation 49 MK3 is gone"),
        )  # fmt: skip
        await settled(pilot)
        assert "none yet" in row_with(app, "Instrument")
        assert "64/64" in row_with(app, "Voices")
        assert "2 underruns, 1 xrun" in row_with(app, "Late blocks")
        assert "none: play on the computer's keyboard" in row_with(app, "MIDI in ")
        assert "  - " in row_with(app, "Left")
        assert "3.0 dB" in row_with(app, "Right")
        assert "170%" in row_with(app, "Load")
        assert messages(app) == [
            "MIDI input: Keystation 49 MK3", "Audio output: system at 48000 Hz", "Keystation 49 MK3 is gone",
        ]  # fmt: skip

    on_screen(session, settings, body)


@pytest.mark.parametrize("key", ["q", "ctrl+c", "ctrl+d", "ctrl+q"])
def test_keys_leave(session: FakeSession, settings: Path, key: str) -> None:
    async def body(app: PlayScreen, pilot: Pilot[int]) -> None:
        await pilot.press(key)
        assert app.return_value == 0

    assert on_screen(session, settings, body) == 0


def test_typed_keys_play_and_end(session: FakeSession, settings: Path) -> None:
    async def body(app: PlayScreen, pilot: Pilot[int]) -> None:
        await pilot.press("a")
        assert session.sent() == [bytes([0x90, C4, 96])]
        await pilot.pause(1.0)
        assert session.sent()[1:] == [bytes([0x80, C4, 0])]
        await pilot.press("z", "c", "semicolon", "space")
        await settled(pilot)
        assert session.sent()[2:] == [bytes([0x90, C4 - 12 + 16, 80]), bytes([0xB0, 64, 127])]
        assert "octave C3" in row_with(app, "octave")
        assert "touch 80" in row_with(app, "touch")
        assert "pedal down" in row_with(app, "pedal d")

    on_screen(session, settings, body)
    assert session.sent()[4:] == [bytes([0x80, C4 - 12 + 16, 0]), bytes([0xB0, 64, 0])], "leaving ends what sounds"


def test_panic_silences(session: FakeSession, settings: Path) -> None:
    async def body(app: PlayScreen, pilot: Pilot[int]) -> None:
        await pilot.press("a", "escape")
        assert session.told[-2:] == [("send", bytes([0x80, C4, 0])), ("panic", None)]

    on_screen(session, settings, body)


def test_an_instrument_is_chosen_from_a_list(session: FakeSession, settings: Path) -> None:
    async def body(app: PlayScreen, pilot: Pilot[int]) -> None:
        await pilot.press("i")
        await settled(pilot)
        assert isinstance(app.screen, Chooser)
        assert app.screen.query_one(OptionList).highlighted == 2  # the cello, which plays
        await pilot.press("down", "enter")
        await settled(pilot)
        assert session.told == [("instrument", "flute")]
        assert "flute" in row_with(app, "Instrument")

    on_screen(session, settings, body)


def test_typing_shortens_a_list_and_plays_nothing(session: FakeSession, settings: Path) -> None:
    async def body(app: PlayScreen, pilot: Pilot[int]) -> None:
        await pilot.press("i", "a", "n", "space", "p")
        await settled(pilot)
        options = app.screen.query_one(OptionList)
        assert [str(option.prompt) for option in options.options] == ["grand-piano"]
        await pilot.press(*["backspace"] * 3, "enter")
        await settled(pilot)
        assert session.told == [("instrument", "grand-piano")]

    on_screen(session, settings, body)


def test_a_filter_that_fits_nothing_chooses_nothing(session: FakeSession, settings: Path) -> None:
    async def body(app: PlayScreen, pilot: Pilot[int]) -> None:
        await pilot.press("i", "z", "q", "enter")
        await settled(pilot)
        assert isinstance(app.screen, Chooser) and "none fits" in "\n".join(shown(app))
        await pilot.press("backspace", "backspace", "backspace")
        await settled(pilot)
        assert app.screen.query_one(OptionList).highlighted == 2, "the cello again, as at first"
        await pilot.press("tab", "b", "escape")

    on_screen(session, settings, body)
    assert session.told == [], "no key of the screen below acts"


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("", ["Grand Piano", "Piano 1", "piano 2", "[Ä] (2)"]),
        ("PIANO", ["Piano 1", "piano 2", "Grand Piano"]),
        ("piano gr", ["Grand Piano"]),
        ("[", ["[Ä] (2)"]),
        ("ä", ["[Ä] (2)"]),
        ("x", []),
    ],
)
def test_what_fits_what_was_typed(typed: str, expected: list[str]) -> None:
    assert fitting(["Grand Piano", "Piano 1", "piano 2", "[Ä] (2)"], typed) == expected


@pytest.mark.parametrize(
    ("key", "filtered", "told"),
    [
        ("full_stop", "nan", ("midi_in", ("Nano",))),
        ("full_stop", "first", ("midi_in", ())),
        ("slash", "alsa", ("output", "Speakers (ALSA)")),
    ],
)
def test_devices_are_chosen_from_lists(
    session: FakeSession, settings: Path, key: str, filtered: str, told: tuple[str, object]
) -> None:
    async def body(app: PlayScreen, pilot: Pilot[int]) -> None:
        await pilot.press(key, *filtered, "enter")
        await settled(pilot)

    on_screen(session, settings, body)
    assert session.told == [told]


def test_a_key_begins_and_completes_a_recording_and_a_lamp_shows_it(session: FakeSession, settings: Path) -> None:
    async def body(app: PlayScreen, pilot: Pilot[int]) -> None:
        await pilot.press("b")
        await settled(pilot)
        assert "Recording take.wav" in messages(app)[-1]
        session.show(recorded_s=75.2)
        await settled(pilot)
        assert "REC 1:15  take.wav" in shown(app)[0]
        await pilot.press("b")
        await settled(pilot)
        assert "not recording" in shown(app)[0]

    on_screen(session, settings, body)
    assert session.told == [("record", True), ("record", False)]


def test_a_first_choice_and_a_lock_are_shown_and_have_a_way_back(session: FakeSession, settings: Path) -> None:
    async def body(app: PlayScreen, pilot: Pilot[int]) -> None:
        assert "as MIDI says  tab: lock" in row_with(app, "Program")
        for keys, told in (
            (["right"], "first choice  tab: lock"),
            (["tab"], "locked  tab: as MIDI"),
            (["right"], "locked  tab: as MIDI"),
            (["tab"], "as MIDI says  tab: lock"),
        ):
            await pilot.press(*keys)
            await settled(pilot)
            assert told in row_with(app, "Program")

    on_screen(session, settings, body)
    assert session.told == [("instrument", "flute"), ("lock", "flute"), ("lock", "grand-piano"), ("lock", None)]


def sixteen(controller: int, value: float) -> list[bytes]:
    return [growth_message(channel, controller, value) for channel in range(16)]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("2", sixteen(GROWTH_RATE, 64.0 + STEP)),
        ("1", sixteen(GROWTH_RATE, 64.0 - STEP)),
        ("4", sixteen(FIRE_RATE, 127.0)),
        ("3", sixteen(FIRE_RATE, 127.0 - STEP)),
        ("6", sixteen(LIFE_THRESHOLD, STEP)),
        ("5", sixteen(LIFE_THRESHOLD, 0.0)),
        ("9", sixteen(MORPH_X, STEP)),
        ("8", sixteen(MORPH_X, 0.0)),
        ("7", sixteen(DAMAGE, 127.0 * 0.25)),
    ],
)
def test_keys_move_the_growth_on_all_channels(
    session: FakeSession, settings: Path, key: str, expected: list[bytes]
) -> None:
    async def body(app: PlayScreen, pilot: Pilot[int]) -> None:
        await pilot.press(key)

    on_screen(session, settings, body)
    assert session.sent() == expected


def test_the_growth_is_shown_and_set_back_and_controllers_are_let_in(session: FakeSession, settings: Path) -> None:
    session.show(growth=GrowthStatus(2.0, 0.5, 0.3, (0.5, 0.0), ("Trumpet", "", "")))

    async def body(app: PlayScreen, pilot: Pilot[int]) -> None:
        for label, told in (("Rate", "2.00"), ("Fire", "50%"), ("Threshold", "0.30"), ("Morph", "50% Trumpet")):
            assert told in row_with(app, f" {label}")
        await pilot.press("minus")
        await settled(pilot)
        assert "on (20-28, 102-106)" in row_with(app, "By CC")
        await pilot.press("0")

    on_screen(session, settings, body)
    assert session.told[0] == ("growth_cc", True)
    neutral = sixteen(GROWTH_RATE, 64.0) + sixteen(FIRE_RATE, 127.0) + sixteen(LIFE_THRESHOLD, 0.0)
    assert session.sent()[: len(neutral)] == neutral


def test_what_notes_morph_into_is_chosen(session: FakeSession, settings: Path) -> None:
    async def body(app: PlayScreen, pilot: Pilot[int]) -> None:
        await pilot.press("comma", *"muted tr", "enter")
        await settled(pilot)

    on_screen(session, settings, body)
    assert session.sent() == sixteen(MORPH_PROGRAMS[0], 59)


def test_notes_morph_into_ones_own_instruments_too(session: FakeSession, settings: Path) -> None:
    async def body(app: PlayScreen, pilot: Pilot[int]) -> None:
        await pilot.press("comma", *"thumb", "enter")
        await settled(pilot)

    on_screen(session, settings, body)
    assert session.told == [("morph", "thumb box")]


@pytest.mark.parametrize(("rows", "shown_parts"), [(24, 5), (30, 5), (50, 16)])
def test_channels_that_find_no_room_are_counted(
    session: FakeSession, settings: Path, rows: int, shown_parts: int
) -> None:
    session.show(parts=tuple(PartStatus(n, f"voice-{n}", "", "dual", "harmonic") for n in range(1, 17)))

    async def body(app: PlayScreen, pilot: Pilot[int]) -> None:
        text = "\n".join(shown(app))
        assert text.count("voice-") == shown_parts
        assert (f"and {16 - shown_parts} more" in text) == (shown_parts < 16)

    on_screen(session, settings, body, rows=rows)


def test_names_with_brackets_and_of_any_script_are_shown_as_they_are(session: FakeSession, settings: Path) -> None:
    session.show(midi_ports=("[red]Flügel[/] 鍵盤",), midi_inputs=("[b]x", ""), audio_device="[/]")

    async def body(app: PlayScreen, pilot: Pilot[int]) -> None:
        assert "[red]Flügel[/] 鍵盤" in row_with(app, "MIDI in")
        await pilot.press("full_stop", "[", "enter")
        await settled(pilot)

    on_screen(session, settings, body)
    assert session.told == [("midi_in", ("[b]x",))]


def test_a_list_is_left_without_choosing(session: FakeSession, settings: Path) -> None:
    async def body(app: PlayScreen, pilot: Pilot[int]) -> None:
        await pilot.press("r", "up", "escape")
        await settled(pilot)
        assert not isinstance(app.screen, Chooser)
        await pilot.press("r", "ctrl+c")
        assert app.return_value == 0

    on_screen(session, settings, body)
    assert session.told == []


def test_a_decoder_is_chosen(session: FakeSession, settings: Path) -> None:
    async def body(app: PlayScreen, pilot: Pilot[int]) -> None:
        await pilot.press("r", "v", "o", "c", "enter")
        await settled(pilot)
        assert "vocoder" in row_with(app, "Decoder ")

    on_screen(session, settings, body)
    assert session.told == [("decoder", "vocoder")]


def test_a_representation_is_chosen(session: FakeSession, settings: Path) -> None:
    async def body(app: PlayScreen, pilot: Pilot[int]) -> None:
        await pilot.press("n", "m", "e", "enter")
        await settled(pilot)
        assert "mel" in row_with(app, "Grown as")

    on_screen(session, settings, body)
    assert session.told == [("representation", "mel")]


def test_arrows_step_through_the_instruments(session: FakeSession, settings: Path) -> None:
    async def body(app: PlayScreen, pilot: Pilot[int]) -> None:
        for key in ("right", "right", "left"):
            await pilot.press(key)
            await settled(pilot)

    on_screen(session, settings, body)
    assert session.told == [("instrument", name) for name in ("flute", "grand-piano", "flute")]


def test_a_refusal_is_told(session: FakeSession, settings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> None:
        raise DeviceError("not while it rains")

    monkeypatch.setattr(session, "select_instrument", refuse)

    async def body(app: PlayScreen, pilot: Pilot[int]) -> None:
        await pilot.press("right")
        await settled(pilot)
        assert messages(app)[-1] == "not while it rains"

    assert on_screen(session, settings, body) == 0


def test_a_learned_controller_is_kept(session: FakeSession, settings: Path) -> None:
    settings.write_text("# mine\nseed = 3\n")

    async def body(app: PlayScreen, pilot: Pilot[int]) -> None:
        await pilot.press("m", *"brig", "enter")
        await settled(pilot)
        assert session.told == [("learn", "brightness")]
        assert "move the controller for brightness" in shown(app)[0]
        session.show(learned=(74, "brightness"))
        await settled(pilot)
        assert read_settings(settings).cc == {74: "brightness"}
        assert settings.read_text().startswith("# mine\nseed = 3\n")
        assert "move the controller" not in shown(app)[0]
        assert "Controller 74 moves brightness" in "\n".join(messages(app))

    on_screen(session, settings, body)


def test_the_same_controller_can_be_learned_again(session: FakeSession, settings: Path) -> None:
    session.show(learned=(74, "brightness"))

    async def body(app: PlayScreen, pilot: Pilot[int]) -> None:
        await pilot.press("m", *"brig", "enter")
        await settled(pilot)
        assert not settings.exists()
        session.show(learned=None)  # the engine has heard of it
        await settled(pilot)
        session.show(learned=(74, "brightness"))
        await settled(pilot)
        assert read_settings(settings).cc == {74: "brightness"}

    on_screen(session, settings, body)


def test_the_pedal_is_not_taken_for_a_controller_to_learn(session: FakeSession, settings: Path) -> None:
    async def body(app: PlayScreen, pilot: Pilot[int]) -> None:
        await pilot.press("m", "enter")
        await settled(pilot)
        await pilot.press("space")

    on_screen(session, settings, body)
    assert session.sent() == []


def test_typed_keys_play_on_the_channel_that_is_listened_to(session: FakeSession, settings: Path) -> None:
    async def run() -> None:
        app = PlayScreen(session, settings, channel=3)
        async with app.run_test(size=(COLUMNS, ROWS)) as pilot:
            await pilot.press("a", "q")

    asyncio.run(run())
    assert session.sent() == [bytes([0x92, C4, 96]), bytes([0x82, C4, 0])]


def test_learning_can_be_stopped(session: FakeSession, settings: Path) -> None:
    async def body(app: PlayScreen, pilot: Pilot[int]) -> None:
        await pilot.press("m", "enter")
        await settled(pilot)
        await pilot.press("m")
        await settled(pilot)
        assert session.told[-1] == ("learn", None)
        session.show(learned=(74, "modulation"))
        await settled(pilot)

    on_screen(session, settings, body)
    assert not settings.exists()


def test_settings_that_cannot_be_written_are_told(session: FakeSession, settings: Path) -> None:
    settings.write_text("a =")

    async def body(app: PlayScreen, pilot: Pilot[int]) -> None:
        await pilot.press("m", "enter")
        await settled(pilot)
        session.show(learned=(1, "modulation"))
        await settled(pilot)
        assert "cannot add to the settings" in "\n".join(messages(app))

    assert on_screen(session, settings, body) == 0


def test_a_lost_session_ends_the_screen(session: FakeSession, settings: Path) -> None:
    async def run() -> PlayScreen:
        app = PlayScreen(session, settings)
        async with app.run_test(size=(COLUMNS, ROWS)) as pilot:
            await settled(pilot)
            session.failure = DeviceError("the engine's process has ended")
            await settled(pilot)
        return app

    app = asyncio.run(run())
    assert app.failure is session.failure
    assert app.return_value == 1
