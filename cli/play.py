"""`tnca-synth --midi-in`: play live, on a screen in the terminal or with plain lines."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..errors import UsageError
from ..live.options import OPTIONS, Option
from .mapping import add_map_argument
from .output import errors_aside, one_line

if TYPE_CHECKING:
    from ..live.protocol import LiveOptions
    from ..live.session.session import LiveSession
    from ..live.settings import Settings

LOG_EVERY_S: Final = 0.1
SCREEN: Final = "..live.screen.terminal"
NO_VALUE: Final = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `play`."""
    parser.epilog = (
        "`play` itself may be left out: `tnca-synth --midi-in` and `tnca-synth --instrument cello` play. Defaults come "
        "from tnca-synth.toml in this folder or in the user's; docs/live.md tells more."
    )
    for option in OPTIONS:
        if option.is_switch:
            parser.add_argument(
                f"--{option.key}", dest=option.field, action=argparse.BooleanOptionalAction, help=option.help
            )
            continue
        extra: dict[str, Any] = {"nargs": "?", "const": NO_VALUE, "action": "append"} if option.key == "midi-in" else {}
        parser.add_argument(
            f"--{option.key}", dest=option.field, type=_checked(option), metavar=option.metavar, help=option.help,
            **extra,
        )  # fmt: skip
    add_map_argument(parser)
    parser.add_argument("--quiet", action="store_true", help="no screen: plain lines")
    parser.add_argument("--settings", type=Path, metavar="FILE", help="settings instead of tnca-synth.toml")


def run(arguments: argparse.Namespace) -> int:
    """Play until told to stop."""
    from ..live.settings import FILE_NAME, find_settings, read_settings, user_folder

    found: Path | None = arguments.settings or find_settings()
    options = live_options(arguments, read_settings(found))
    from ..live.session.session import LiveSession

    session = LiveSession(options)
    with _told_recordings(session), _closing(session):
        if arguments.quiet or not _on_terminal():
            return _play_with_log(session)
        return _play_on_screen(session, found or user_folder() / FILE_NAME, options.channel or 1)


def live_options(arguments: argparse.Namespace, settings: Settings) -> LiveOptions:
    """Return what the command line asks for, and where it is silent, the settings."""
    from ..live.protocol import LiveOptions

    given = {option.field: getattr(arguments, option.field) for option in OPTIONS}
    if given["midi_in"] is not None:
        given["midi_in"] = tuple(port for ports in given["midi_in"] for port in ports) or None
    values = {**settings.given(), **{name: value for name, value in given.items() if value is not None}}
    values["bank_path"] = values.pop("bank", None)
    return LiveOptions(**values, cc_map=dict(settings.cc), mapping={**settings.map, **dict(arguments.map)})


def _play_with_log(session: LiveSession) -> int:
    from ..live.screen.plain_log import PlainLog

    log = PlainLog(_say)
    session.start()
    began_s = time.monotonic()
    try:
        log.start(session.status())
        while not _input_ended():
            time.sleep(LOG_EVERY_S)
            log.update(session.status(), time.monotonic() - began_s)
    except KeyboardInterrupt:  # the way to stop it, not a failure
        pass
    finally:
        log.finish(session.status(), time.monotonic() - began_s)
    return 0


def _play_on_screen(session: LiveSession, settings_path: Path, channel: int) -> int:
    # The screen's many modules load while the engine's process starts.
    loading = threading.Thread(target=import_module, args=(SCREEN, __package__), daemon=True)
    loading.start()
    with errors_aside():
        session.start()
    loading.join()
    began_s = time.monotonic()
    from ..live.screen.plain_log import duration, lateness

    status: int = import_module(SCREEN, __package__).show(session, settings_path, channel)
    _say(f"played for {duration(time.monotonic() - began_s)}, {lateness(session.status())}")
    return status


def _say(line: str) -> None:
    """Print a line; a terminal that has gone takes no more lines, and that stops nobody."""
    try:
        print(one_line(line), flush=True)
    except BrokenPipeError:
        raise
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _told_recordings(session: LiveSession) -> Iterator[None]:
    """Tell, however playing ends, which recordings are new."""

    def written(path: Path) -> int | None:
        return path.stat().st_mtime_ns if path.is_file() else None

    before = {path: written(path) for path in session.recordings}
    try:
        yield
    finally:
        for path in session.recordings:
            if written(path) != before.get(path):
                _say(f"recorded in {path} and {path.with_suffix('.mid')}")


@contextmanager
def _closing(session: LiveSession) -> Iterator[None]:
    try:
        yield
    finally:
        with _undisturbed():
            session.close()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Hold off whatever would stop the process, so that a recording is finished."""
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        numbers = []
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _on_terminal() -> bool:
    """Tell whether a screen can be drawn: on stderr, where it leaves stdout alone, with keys from stdin."""
    streams = (sys.stdin, sys.stdout, sys.stderr)
    return all(stream is not None and stream.isatty() for stream in streams) and os.environ.get("TERM") != "dumb"


def _input_ended() -> bool:
    """Tell whether someone ended the input of our terminal (Ctrl-D). What is typed there means nothing else."""
    if os.name != "posix" or sys.stdin is None or not sys.stdin.isatty():
        return False
    import select

    with suppress(OSError, ValueError):
        descriptor = sys.stdin.fileno()
        if os.tcgetpgrp(descriptor) == os.getpgrp() and select.select([descriptor], [], [], 0)[0]:
            return not os.read(descriptor, 1024)
    return False


def _checked(option: Option) -> Callable[[str], Any]:
    def check(text: str) -> Any:
        if option.key == "midi-in" and text == NO_VALUE:
            return ()
        try:
            return option.check(text)
        except UsageError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return check
