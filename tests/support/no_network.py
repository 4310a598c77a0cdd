"""A process that may not open internet sockets: the system kills it, and its children, if it tries (Linux)."""

from __future__ import annotations

import ctypes
import platform
import struct
import sys

SOCKET = {"x86_64": 41, "aarch64": 198}
"""Number of the system call by machine."""
AF_INET, AF_INET6 = 2, 10
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _KILL = 0x7FFF0000, 0x80000000
_NUMBER_AT, _FIRST_ARGUMENT_AT = 0, 16
_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _FILTER = 22, 38, 2


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def forbid() -> None:
    """Let every attempt to open an internet socket from here on end this process, threads and children included."""
    number = SOCKET.get(platform.machine())
    if sys.platform != "linux" or number is None:
        raise RuntimeError(f"no filter for {sys.platform} on {platform.machine()}")
    steps = (
        (_LOAD, 0, 0, _NUMBER_AT),
        (_EQUAL, 0, 3, number),
        (_LOAD, 0, 0, _FIRST_ARGUMENT_AT),
        (_EQUAL, 2, 0, AF_INET),
        (_EQUAL, 1, 0, AF_INET6),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _KILL),
    )
    code = b"".join(struct.pack("HBBI", *step) for step in steps)
    program = _Program(len(steps), code)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(_PR_SET_SECCOMP, _FILTER, ctypes.byref(program)):
        raise OSError(ctypes.get_errno(), "the filter was refused")
