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

from ..errors import TncaError
from .choosers import Chooser
from .log import new_lines
from .panels import PANELS, head, keys
from .settings import store_control
from .state import CONTROL_TARGETS, LiveStatus
from .typed_keys import OFFSETS, TypedKeys

REFRESH_S: Final = 1 / 15


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

    def select_instrument(self, name: str) -> None:
        """Play new notes on it."""
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
    #sound, #levels { width: 1fr; height: 6; }
    #connections, #keys { height: 5; }
    Horizontal { height: 6; }
    #messages { height: 1fr; min-height: 3; overflow-y: auto; scrollbar-size: 1 1; background: $background; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("i", "choose_instrument", "Instrument"),
        Binding("n", "choose_representation", "Grown as"),
        Binding("r", "choose_decoder", "Decoder"),
        Binding("m", "learn", "Learn"),
        Binding("z", "octave(-1)", "Octave", key_display="z/x"),
        Binding("x,down,up", "octave(1)", show=False),
        Binding("c", "velocity(-1)", "Touch", key_display="c/v"),
        Binding("v", "velocity(1)", show=False),
        Binding("escape", "panic", "Panic"),
        Binding("q", "leave", "Quit"),
        Binding("ctrl+c,ctrl+d,ctrl+q", "leave", show=False, priority=True),
        Binding("space", "pedal", show=False),
        Binding("left", "next_instrument(-1)", show=False),
        Binding("right", "next_instrument(1)", show=False),
    ]

    def __init__(self, session: Session, settings_path: Path, channel: int = 1) -> None:
        super().__init__()
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
        with Horizontal():
            yield _panel("sound", "Sound")
            yield _panel("levels", "Level")
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
        self._choose("Instrument", self._session.instruments, self._status.instrument, self._session.select_instrument)

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
            self._tried(lambda: self._session.select_instrument(names[(index + step) % len(names)]))

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
