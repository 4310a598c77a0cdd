"""The screen of live play in a terminal: what sounds and how it fares, and keys to change it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar, Final, Protocol

from rich.text import Text
from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Footer, RichLog, Static

from ...errors import TncaError
from ...midi.spec.general_midi import PROGRAM_NAMES
from ..protocol import CONTROL_TARGETS, LiveStatus
from ..settings import store_control
from .choosers import Chooser
from .growth_keys import MOVES, damage, morph_into, moved, neutral
from .panels import PANELS, channels, head, keys
from .plain_log import new_lines
from .typed_keys import OFFSETS, TypedKeys

REFRESH_S: Final = 1 / 15
HIGH_ROWS: Final = 30
TALL_ROWS: Final = 42
"""Rows from which there is room for frames, and for a line for every channel."""
FIRST_KEYBOARD: Final = "the first keyboard there is"


class Session(Protocol):
    """What the screen asks of a `LiveSession`."""

    @property
    def instruments(self) -> Sequence[str]:
        """Names to choose from."""
        ...

    @property
    def representations(self) -> Sequence[str]:
        """Names to choose from."""
        ...

    @property
    def decoders(self) -> Sequence[str]:
        """Names to choose from, for the representation chosen."""
        ...

    def status(self) -> LiveStatus:
        """Return the latest moment."""
        ...

    @property
    def outputs(self) -> Sequence[str]:
        """Audio outputs to choose from."""
        ...

    def select_instrument(self, name: str) -> None:
        """Play new notes on it."""
        ...

    def lock_instrument(self, name: str) -> None:
        """Play it whatever MIDI says."""
        ...

    @property
    def own_instruments(self) -> Sequence[str]:
        """Names of the player's own among `instruments`."""
        ...

    def morph_into(self, name: str) -> None:
        """Let new notes morph into an instrument."""
        ...

    def follow_midi(self) -> None:
        """Play again as MIDI says."""
        ...

    def select_midi_inputs(self, names: Sequence[str]) -> None:
        """Listen to these ports; to none: to the first keyboard."""
        ...

    def select_output(self, name: str) -> None:
        """Sound there from now on."""
        ...

    def obey_growth_controllers(self, obeys: bool = True) -> None:
        """Let controllers move the growth, or not."""
        ...

    def start_recording(self) -> Path:
        """Record what is played from now on; return the file."""
        ...

    def stop_recording(self) -> None:
        """Complete the recording."""
        ...

    def select_representation(self, name: str) -> None:
        """Grow all in it."""
        ...

    def select_decoder(self, name: str) -> None:
        """Hear all through it."""
        ...

    def send(self, data: bytes) -> None:
        """Play a MIDI message."""
        ...

    def learn(self, target: str | None) -> None:
        """Map the next control that moves, or stop waiting for one."""
        ...

    def panic(self) -> None:
        """Silence everything."""
        ...


class PlayScreen(App[int]):
    """Shows a session and plays it; its result is the exit status.

    Parameters
    ----------
    session : Session
        A session that has started.
    settings_path : Path
        Where learned controllers are kept.
    channel : int
        MIDI channel 1..16 that typed keys play on.
    """

    TITLE = "tnca-synth"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Screen { layers: base; }
    #head { height: 1; padding: 0 2; background: $primary 40%; text-style: bold; }
    .panel { border: round $primary; padding: 0 1; border-title-color: $accent; }
    .panel { text-wrap: nowrap; text-overflow: ellipsis; }
    #sound, #levels { width: 1fr; height: 7; }
    #channels, #growth { width: 1fr; height: 8; }
    #upper { height: 7; }
    #middle { height: 8; }
    #connections, #keys { border: none; padding: 0 2; height: 3; }
    #keys { height: 2; }
    #messages { height: 1fr; min-height: 2; overflow-y: auto; scrollbar-size: 1 1; background: $background; }
    .-low #messages { border: none; padding: 0 2; }
    .-high #connections, .-tall #connections { border: round $primary; padding: 0 1; height: 5; }
    .-high #keys, .-tall #keys { border: round $primary; padding: 0 1; height: 4; }
    .-tall #middle, .-tall #channels, .-tall #growth { height: 18; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("i", "choose_instrument", "Instrument"),
        Binding("tab", "lock", show=False, priority=True),
        Binding("n", "choose_representation", "Grown as"),
        Binding("r", "choose_decoder", "Decoder"),
        Binding("m", "learn", "Learn"),
        Binding("b", "record", "Record"),
        Binding("full_stop", "choose_midi_input", "In", key_display="."),
        Binding("slash", "choose_output", "Out", key_display="/"),
        Binding("escape", "panic", "Panic"),
        Binding("q", "leave", "Quit"),
        Binding("ctrl+c,ctrl+d,ctrl+q", "leave", show=False, priority=True),
        Binding("z", "octave(-1)", show=False),
        Binding("x,down,up", "octave(1)", show=False),
        Binding("c", "velocity(-1)", show=False),
        Binding("v", "velocity(1)", show=False),
        Binding("space", "pedal", show=False),
        Binding("left", "next_instrument(-1)", show=False),
        Binding("right", "next_instrument(1)", show=False),
        *(Binding(key, f"grow('{key}')", show=False) for key in MOVES),
        Binding("7", "damage", show=False),
        Binding("0", "neutral", show=False),
        Binding("minus", "growth_controllers", show=False),
        Binding("comma", "choose_morph", show=False),
    ]

    def __init__(self, session: Session, settings_path: Path, channel: int = 1) -> None:
        super().__init__()
        self.VERTICAL_BREAKPOINTS = [(0, "-low"), (HIGH_ROWS, "-high"), (TALL_ROWS, "-tall")]
        self.failure: TncaError | None = None
        self._session = session
        self._settings_path = settings_path
        self._keys = TypedKeys(session.send, channel - 1)
        self._status = session.status()
        self._notices: Sequence[str] = ()
        self._learning: str | None = None
        self._learned = self._status.learned
        self._shown: dict[str, Text] = {}

    def compose(self) -> ComposeResult:
        """Lay out the panels, for 80 columns and 24 rows or more."""
        yield Static(id="head")
        with Horizontal(id="upper"):
            yield _panel("sound", "Sound")
            yield _panel("levels", "Level")
        with Horizontal(id="middle"):
            yield _panel("channels", "Channels")
            yield _panel("growth", "Growth")
        yield _panel("connections", "Connections")
        yield _panel("keys", "Keys")
        messages = RichLog(id="messages", classes="panel", max_lines=500, wrap=True, min_width=20)
        messages.can_focus = False
        messages.border_title = "Messages"
        yield messages
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        """Begin to look at the session."""
        self.call_after_refresh(self._refresh_status)
        self.set_interval(REFRESH_S, self._refresh_status)

    def on_key(self, event: events.Key) -> None:
        """Play the notes of typed keys."""
        key = (event.character or "").lower()
        if key in OFFSETS and len(self.screen_stack) == 1:
            self._tried(lambda: self._keys.press(key, time.monotonic()))
            event.stop()

    def on_unmount(self) -> None:
        """Let no typed note sound on."""
        self._tried(self._keys.release_all)

    def action_choose_instrument(self) -> None:
        """Open the list of instruments."""
        self._choose("Instrument", self._session.instruments, self._status.instrument, self._take_instrument)

    def action_choose_representation(self) -> None:
        """Open the list of representations."""
        session, current = self._session, self._status.representation
        self._choose("Grown as", session.representations, current, session.select_representation)

    def action_choose_decoder(self) -> None:
        """Open the list of decoders."""
        self._choose("Decoder", self._session.decoders, self._status.decoder, self._session.select_decoder)

    def action_next_instrument(self, step: int) -> None:
        """Take the instrument after or before this one."""
        names = list(self._session.instruments)
        if names:
            index = names.index(self._status.instrument) if self._status.instrument in names else -max(step, 0)
            self._tried(lambda: self._take_instrument(names[(index + step) % len(names)]))

    def action_lock(self) -> None:
        """Let the instrument play whatever MIDI says, or again as MIDI says."""
        if len(self.screen_stack) == 1:
            playing = self._status.instrument
            is_locked = self._status.is_locked
            self._tried(self._session.follow_midi if is_locked else lambda: self._session.lock_instrument(playing))

    def action_choose_midi_input(self) -> None:
        """Open the list of MIDI inputs."""
        current = self._status.midi_ports[0] if self._status.midi_ports else ""

        def listen(name: str) -> None:
            self._session.select_midi_inputs(() if name == FIRST_KEYBOARD else (name,))

        self._choose("MIDI in", (FIRST_KEYBOARD, *self._status.midi_inputs), current, listen)

    def action_choose_output(self) -> None:
        """Open the list of audio outputs."""
        self._choose("Audio out", self._session.outputs, self._status.audio_device, self._session.select_output)

    def action_record(self) -> None:
        """Begin a recording, or complete it."""
        if self._status.recording:
            self._tried(self._session.stop_recording)
        else:
            self._tried(lambda: self._tell(f"Recording {self._session.start_recording()}; b completes it."))

    def action_grow(self, key: str) -> None:
        """Move one of the growth's values."""
        self._send_all(moved(self._status.growth, key))

    def action_damage(self) -> None:
        """Damage what sounds; it heals."""
        self._send_all(damage())

    def action_neutral(self) -> None:
        """Let everything grow as it was learned."""
        self._send_all(neutral())

    def action_growth_controllers(self) -> None:
        """Let controllers move the growth, or not."""
        obeys = not self._status.growth_cc
        self._tried(lambda: self._session.obey_growth_controllers(obeys))

    def action_choose_morph(self) -> None:
        """Open the list of programs, and instruments of the player's own, that notes can morph into."""

        def morph(name: str) -> None:
            if name in PROGRAM_NAMES:
                self._send_all(morph_into(PROGRAM_NAMES.index(name)))
            else:
                self._session.morph_into(name)

        names = (*PROGRAM_NAMES, *self._session.own_instruments)
        self._choose("Morph into", names, self._status.growth.corners[0], morph)

    def action_learn(self) -> None:
        """Open the list of what a controller can move, or stop waiting for a controller."""
        if self._learning is None:
            self._choose("What shall a controller move?", CONTROL_TARGETS, "", self._learn)
        else:
            self._tell("Stopped waiting for a controller.")
            self._learn(None)

    def action_octave(self, octaves: int) -> None:
        """Move the typed keys."""
        self._keys.shift_octave(octaves)

    def action_velocity(self, steps: int) -> None:
        """Strike typed keys harder or softer."""
        self._keys.shift_velocity(steps)

    def action_pedal(self) -> None:
        """Press the pedal or let it go; it is a controller too, so not while one is awaited."""
        if self._learning is None:
            self._tried(self._keys.toggle_pedal)

    def action_panic(self) -> None:
        """Silence everything."""
        self._tried(self._keys.release_all)
        self._tried(self._session.panic)
        self._tell("Silence.")

    def action_leave(self) -> None:
        """End."""
        self.exit(0)

    def _choose(self, title: str, names: Sequence[str], current: str, choose: Callable[[str], object]) -> None:
        def chosen(name: str | None) -> None:
            if name is not None:
                self._tried(lambda: choose(name))

        self.push_screen(Chooser(title, names, current), chosen)

    def _take_instrument(self, name: str) -> None:
        """Play an instrument, as firmly as the one before was chosen."""
        (self._session.lock_instrument if self._status.is_locked else self._session.select_instrument)(name)

    def _send_all(self, messages: Sequence[bytes]) -> None:
        for data in messages:
            self._tried(lambda data=data: self._session.send(data))  # type: ignore[misc]

    def _learn(self, target: str | None) -> None:
        self._session.learn(target)
        self._learning = target
        if target is not None:
            self._tell(f"Move the controller for {target}; m stops waiting.")

    def _keep_learned(self, controller: int, target: str) -> None:
        """Write a new mapping into the settings."""
        self._learning = None
        if self._tried(lambda: store_control(self._settings_path, controller, target)):
            self._tell(f"Controller {controller} moves {target}: kept in {self._settings_path}")

    def _refresh_status(self) -> None:
        """Show the latest moment; a session that is lost ends the screen."""
        try:
            status = self._session.status()
            self._keys.tick(time.monotonic())
        except TncaError as error:
            self.failure = error
            self.exit(1)
            return
        for line in new_lines(self._notices, status.notices):
            self._tell(line)
        self._notices, self._status = status.notices, status
        learned, before, self._learned = status.learned, self._learned, status.learned
        if self._learning is not None and learned is not None and learned != before:
            self._keep_learned(*learned)
        for name, fill in PANELS.items():
            self._show(name, fill(status))
        rows = self.screen_stack[0].query_one("#channels").content_size.height
        self._show("channels", channels(status, rows))
        self._show("head", head(status, self._learning))
        self._show("keys", keys(self._keys))

    def _show(self, name: str, text: Text) -> None:
        if self._shown.get(name) != text:
            self._shown[name] = text
            self.screen_stack[0].query_one(f"#{name}", Static).update(text, layout=False)

    def _tell(self, line: str) -> None:
        self.screen_stack[0].query_one("#messages", RichLog).write(Text(line))

    def _tried(self, action: Callable[[], object]) -> bool:
        """Do something that may fail, and tell if it does; return whether it worked."""
        try:
            action()
        except TncaError as error:
            self._tell(str(error))
            return False
        return True


def _panel(name: str, title: str) -> Static:
    panel = Static(id=name, classes="panel")
    panel.border_title = title
    return panel
