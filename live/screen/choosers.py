"""The list that opens over the screen, to choose one thing from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static

PROMPT: Final = "type to filter"


def fitting(names: Sequence[str], typed: str) -> list[str]:
    """Return the names that hold all words that were typed, in any case; those that begin so come first."""
    words = typed.lower().split()
    if not words:
        return list(names)
    found = [name for name in names if all(word in name.lower() for word in words)]
    return sorted(found, key=lambda name: not name.lower().startswith(typed.lower().strip()))


class Chooser(ModalScreen[str | None]):
    """A list of names that shortens while one types; Enter gives the one that is marked, Escape None.

    Parameters
    ----------
    title : str
        What is chosen.
    names : sequence of str
        To choose from.
    current : str
        Marked at first, if it is one of them.
    """

    CSS = """
    Chooser { align: center middle; background: $background 60%; }
    Chooser > Vertical {
        width: 50; max-width: 100%; height: auto; max-height: 90%; padding: 0 1;
        border: round $accent; background: $surface; border-title-color: $accent;
    }
    Chooser OptionList { height: auto; max-height: 14; border: none; background: $surface; padding: 0; }
    Chooser #typed { color: $accent; }
    Chooser #help { color: $text-muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss_empty", "Leave"),
        Binding("backspace", "shorten", show=False),
    ]

    def __init__(self, title: str, names: Sequence[str], current: str = "") -> None:
        super().__init__()
        self._title = title
        self._names = tuple(names)
        self._current = current
        self._typed = ""
        self._shown = list(self._names)

    def compose(self) -> ComposeResult:
        """Lay the list out."""
        box = Vertical(
            Static(PROMPT, id="typed", markup=False),
            OptionList(*self._names, markup=False),
            Static("enter choose   esc leave", id="help"),
        )
        box.border_title = self._title
        yield box

    def on_mount(self) -> None:
        """Mark what is chosen now."""
        self._mark(self._current)
        self.query_one(OptionList).focus()

    def on_key(self, event: events.Key) -> None:
        """Take what is typed for a part of the name."""
        if event.character is not None and event.is_printable:
            self._filter(self._typed + event.character)
            event.stop()

    def action_shorten(self) -> None:
        """Take back what was typed last."""
        self._filter(self._typed[:-1])

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Give the name that was chosen."""
        self.dismiss(self._shown[event.option_index])

    def action_dismiss_empty(self) -> None:
        """Choose nothing."""
        self.dismiss(None)

    def _mark(self, name: str) -> None:
        """Mark a name that is shown, else the first."""
        if self._shown:
            self.query_one(OptionList).highlighted = self._shown.index(name) if name in self._shown else 0

    def _filter(self, typed: str) -> None:
        options = self.query_one(OptionList)
        self._typed, self._shown = typed, fitting(self._names, typed)
        options.clear_options()
        options.add_options(self._shown)
        self._mark(self._current if not typed else "")
        none = "" if self._shown else "   none fits"
        self.query_one("#typed", Static).update(f"{typed}_{none}" if typed else PROMPT)
