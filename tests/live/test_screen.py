"""The screen shows a session, plays and changes it, keeps what it learns, and leaves nothing sounding."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from fake_session import FakeSession
from textual.pilot import Pilot
from textual.widgets import OptionList, RichLog

from tnca_synth.errors import DeviceError
from tnca_synth.live.choosers import Chooser
from tnca_synth.live.screen import PlayScreen
from tnca_synth.live.settings import FILE_NAME, read_settings

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
            "latency 7.4 ms", "Keystation 49 MK3", "system, 48,000 Hz, blocks of 128",
            "Note on C4, velocity 96, channel 1", "octave C4", "touch 96", "pedal up", "space is the pedal",
            "Audio output: system at 48000 Hz",
            "i Instrument", "n Grown as", "r Decoder", "m Learn", "z/x Octave", "c/v Touch", "esc Panic", "q Quit",
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
        assert "as the program asks" in row_with(app, "Instrument")
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


def test_a_letter_goes_to_a_name_and_plays_nothing(session: FakeSession, settings: Path) -> None:
    async def body(app: PlayScreen, pilot: Pilot[int]) -> None:
        await pilot.press("i", "g", "a", "enter")
        await settled(pilot)
        assert session.told == [("instrument", "grand-piano")]

    on_screen(session, settings, body)


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
        await pilot.press("r", "v", "enter")
        await settled(pilot)
        assert "vocoder" in row_with(app, "Decoder ")

    on_screen(session, settings, body)
    assert session.told == [("decoder", "vocoder")]


def test_a_representation_is_chosen(session: FakeSession, settings: Path) -> None:
    async def body(app: PlayScreen, pilot: Pilot[int]) -> None:
        await pilot.press("n", "m", "enter")
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
        await pilot.press("m", "b", "enter")
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
        await pilot.press("m", "b", "enter")
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
