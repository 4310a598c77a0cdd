"""Instrument files: one instrument, for one foundation, in one file."""

from .facts import InstrumentFacts
from .file import (
    SUFFIX,
    InstrumentFile,
    facts_at,
    foundation_id,
    instrument_bytes,
    is_file_name,
    parse_instrument,
    read_facts,
    read_instrument,
    write_instrument,
)

__all__ = [
    "SUFFIX",
    "InstrumentFacts",
    "InstrumentFile",
    "facts_at",
    "foundation_id",
    "instrument_bytes",
    "is_file_name",
    "parse_instrument",
    "read_facts",
    "read_instrument",
    "write_instrument",
]
