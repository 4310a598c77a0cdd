"""The container of an instrument file: a zip archive of two members, read without trusting a word of it."""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import Final

from ...errors import BankError

FACTS: Final = "instrument.json"
ARRAYS: Final = "arrays.bin"
MAX_FILE_BYTES: Final = 64 * 2**20
MAX_FACTS_BYTES: Final = 2**20
_DATE: Final = (1980, 1, 1, 0, 0, 0)
"""Of every member, so that the same content gives the same bytes."""
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def make_archive(facts: bytes, arrays: bytes) -> bytes:
    """Return an archive of both members; the same ones give the same bytes."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in ((FACTS, facts), (ARRAYS, arrays)):
            member = zipfile.ZipInfo(name, _DATE)
            member.compress_type, member.create_system, member.external_attr = zipfile.ZIP_DEFLATED, 3, 0o644 << 16
            archive.writestr(member, content)
    return target.getvalue()


class Archive:
    """The two members of an archive, each unpacked when it is asked for, and never further than is allowed.

    Raises
    ------
    BankError
        It is no archive, or has other members than these two.
    """

    def __init__(self, content: bytes) -> None:
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                members = {one.filename: one for one in archive.infolist()}
                count = len(archive.infolist())
        except Exception as error:  # zipfile raises many kinds for what is no archive
            raise BankError("it is no instrument file, or is not complete (no zip archive)") from error
        if count != 2 or members.keys() != {FACTS, ARRAYS}:
            raise BankError(f"it is no instrument file: expected the members {FACTS} and {ARRAYS}")
        self._content, self._members = content, members

    def facts(self) -> bytes:
        """Return `instrument.json`."""
        return self._read(FACTS, MAX_FACTS_BYTES)

    def arrays(self, num_bytes: int) -> bytes:
        """Return the arrays, which must have so many bytes."""
        return self._read(ARRAYS, num_bytes)

    def _read(self, name: str, most: int) -> bytes:
        member = self._members[name]
        if member.compress_type not in _METHODS or member.flag_bits & 1:
            raise BankError(f"{name} is packed in a way that is not read here")
        if member.file_size > most:
            raise BankError(f"{name} has {member.file_size} bytes, expected {most} at most")
        try:
            with zipfile.ZipFile(io.BytesIO(self._content)) as archive, archive.open(member) as stream:
                data = stream.read(most + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError) as error:
            raise BankError(f"{name} is damaged: {str(error) or type(error).__name__}") from error
        if len(data) != member.file_size:
            raise BankError(f"{name} is damaged: it has {len(data)} bytes, expected {member.file_size}")
        return data
