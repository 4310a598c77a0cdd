"""Text in MIDI files, which say nothing of its encoding."""

import re
from typing import Final

# Shift-JIS begins its characters with bytes that Western writers use for a single quote or dash at most.
_TWO_JAPANESE: Final = re.compile("[\u3000-\u30ff\u4e00-\u9fff]{2}")


def decode_name(raw: bytes) -> str:
    """Return a name as one line of text: UTF-8, else Shift-JIS if that gives Japanese, else Windows-1252.

    Padding and what cannot be printed are left out; no bytes are an error.
    """
    text = _decoded(raw.removeprefix(b"\xef\xbb\xbf"))
    return "".join(char if char.isprintable() else " " for char in text).strip()


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        pass
    try:
        japanese = raw.decode("cp932")
    except UnicodeDecodeError:
        japanese = ""
    return japanese if _TWO_JAPANESE.search(japanese) else raw.decode("cp1252", errors="replace")
