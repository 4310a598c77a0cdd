"""The container of an instrument file: a zip archive of two members, read without trusting a word of it.

`instrument.json` is deflated; the arrays are an xz stream, which makes them a tenth smaller than deflating does.
"""

from __future__ import annotations

import io
import lzma
import zipfile
import zlib
from typing import Final

from ...errors import BankError

FACTS: Final = "instrument.json"
ARRAYS: Final = "arrays.xz"
MAX_FILE_BYTES: Final = 64 * 2**20
MAX_FACTS_BYTES: Final = 2**20
MAX_DECODER_BYTES: Final = 128 * 2**20
"""Memory that the xz decoder may take: a stream can ask for gigabytes."""
_PRESET: Final = 6
_DATE: Final = (1980, 1, 1, 0, 0, 0)
"""Of every member, so that the same content gives the same bytes."""
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def make_archive(facts: bytes, arrays: bytes) -> bytes:
    """Return an archive of both members; the same ones give the same bytes."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        packed = lzma.compress(arrays, lzma.FORMAT_XZ, lzma.CHECK_CRC32, _PRESET)
        for name, content, method in ((FACTS, facts, zipfile.ZIP_DEFLATED), (ARRAYS, packed, zipfile.ZIP_STORED)):
            member = zipfile.ZipInfo(name, _DATE)
            member.create_system, member.external_attr = 3, 0o644 << 16  # else they tell the system it was made on
            archive.writestr(member, content, method, compresslevel=9)
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
                found = archive.infolist()
        except Exception as error:  # zipfile raises many kinds for what is no archive
            raise BankError("it is no instrument file, or is not complete (no zip archive)") from error
        if len(found) != 2 or {one.filename for one in found} != {FACTS, ARRAYS}:
            raise BankError(f"it is no instrument file: expected the members {FACTS} and {ARRAYS}")
        self._content = content
        self._members = {one.filename: one for one in found}

    def facts(self) -> bytes:
        """Return `instrument.json`."""
        return self._read(FACTS, MAX_FACTS_BYTES)

    def arrays(self, num_bytes: int) -> bytes:
        """Return the arrays, which must have so many bytes."""
        packed = self._read(ARRAYS, MAX_FILE_BYTES)
        decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_DECODER_BYTES)
        try:
            data = decoder.decompress(packed, num_bytes + 1)
        except lzma.LZMAError as error:
            raise BankError(f"{ARRAYS} is damaged: {error}") from error
        if len(data) != num_bytes or not decoder.eof or decoder.unused_data:
            raise BankError(f"{ARRAYS} is damaged: it does not unpack to {num_bytes} bytes")
        return data

    def _read(self, name: str, most: int) -> bytes:
        member = self._members[name]
        if member.compress_type not in _METHODS or member.flag_bits & 1:
            raise BankError(f"{name} is packed in a way that is not read here")
        if member.file_size > most:
            raise BankError(f"{name} has {member.file_size} bytes, expected {most} at most")
        try:
            with zipfile.ZipFile(io.BytesIO(self._content)) as archive, archive.open(member) as stream:
                data = stream.read(most + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError) as error:
            reason = str(error).partition(" and header")[0][:100]  # zipfile shows what it found there
            raise BankError(f"{name} is damaged: {reason or type(error).__name__}") from error
        if len(data) != member.file_size:
            raise BankError(f"{name} is damaged: it has {len(data)} bytes, expected {member.file_size}")
        return data
