"""`LiveSession`: starts the engine's process, tells it what the player wants, and knows how it fares."""

from __future__ import annotations

from types import TracebackType

from .state import CONTROL_TARGETS, LiveOptions, LiveStatus

__all__ = ["CONTROL_TARGETS", "LiveOptions", "LiveSession", "LiveStatus"]


class LiveSession:
    """The control side of live play.

    Attributes
    ----------
    instruments, decoders, representations : tuple of str
        Names to choose among, known from `start` on.
    """

    def __init__(self, options: LiveOptions) -> None:
        self.instruments: tuple[str, ...] = ()
        self.decoders: tuple[str, ...] = ()
        self.representations: tuple[str, ...] = ()
        self._options = options

    def start(self, timeout_s: float = 20.0) -> None:
        """Return when playable; raise `TncaError` with one line if that cannot be."""
        raise NotImplementedError

    def status(self) -> LiveStatus:
        """Return the latest moment."""
        raise NotImplementedError

    def select_instrument(self, name: str) -> None:
        """Play all new notes that are not drums with this instrument."""
        raise NotImplementedError

    def select_decoder(self, name: str) -> None:
        """Hear all notes through this decoder from now on."""
        raise NotImplementedError

    def send(self, data: bytes) -> None:
        """Play a MIDI message as if a port had sent it, now."""
        raise NotImplementedError

    def learn(self, target: str | None) -> None:
        """Map the next control that moves onto a target; None stops learning."""
        raise NotImplementedError

    def panic(self) -> None:
        """Silence everything."""
        raise NotImplementedError

    def close(self) -> None:
        """Fade out, finish recordings, end the process; closing twice does nothing."""
        raise NotImplementedError

    def __enter__(self) -> LiveSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
