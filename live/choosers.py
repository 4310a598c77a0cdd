"""The list that opens over the screen, to choose one thing from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static


class Chooser(ModalScreen[str | None]):
    """A list of names; Enter gives the one that is marked, Escape None, a letter goes to the next that begins so.

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
        width: 44; height: auto; max-height: 20; padding: 0 1;
        border: round $accent; background: $surface; border-title-color: $accent;
    }
    Chooser OptionList { height: auto; max-height: 16; border: none; background: $surface; padding: 0; }
    Chooser Static { color: $text-muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss_empty", "Leave"),
    ]

    def __init__(self, title: str, names: Sequence[str], current: str = "") -> None:
        super().__init__()
        self._title = title
        self._names = tuple(names)
        self._current = current

    def compose(self) -> ComposeResult:
        """Lay the list out."""
        box = Vertical(OptionList(*self._names, markup=False), Static("enter choose   esc leave"))
        box.border_title = self._title
        yield box

    def on_mount(self) -> None:
        """Mark what is chosen now."""
        options = self.query_one(OptionList)
        options.highlighted = self._names.index(self._current) if self._current in self._names else 0
        options.focus()

    def on_key(self, event: events.Key) -> None:
        """Go to the next name with the letter that was typed."""
        letter = (event.character or "").lower()
        options = self.query_one(OptionList)
        start = (options.highlighted or 0) + 1
        order = [*range(start, len(self._names)), *range(start)]
        found = next((index for index in order if letter and self._names[index].lower().startswith(letter)), None)
        if found is not None:
            options.highlighted = found
            event.stop()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Give the name that was chosen."""
        self.dismiss(self._names[event.option_index])

    def action_dismiss_empty(self) -> None:
        """Choose nothing."""
        self.dismiss(None)
