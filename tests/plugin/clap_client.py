"""Drives `clap_host.c`, which holds one CLAP plugin in a process of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import numpy as np


class ClapHost:
    """A CLAP plugin in a host's process."""

    def __init__(self, program: Path, plugin: Path, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(environment)
        )
        self.id, self.name, count = self._ask(f"open {plugin}").split("|")
        self.num_parameters = int(count)
        self.parameters = [self._ask(f"parameter {index}").split("|") for index in range(self.num_parameters)]
        self.index = {row[5]: int(row[0]) for row in self.parameters}

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())

    def _ask(self, line: str) -> str:
        self._tell(line)
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.flush()
        answer = self._process.stdout.readline().decode().rstrip("\n")
        if not answer.startswith("ok"):
            self._process.kill()
            raise AssertionError(f"{line.split()[0]}: {answer!r}, {self._process.stderr.read().decode()}")
        return answer[3:]

    def offline(self, is_offline: bool = True) -> None:
        self._ask(f"offline {int(is_offline)}")

    def activate(self, rate: int, block: int) -> int:
        """Activate, and return the latency in frames."""
        return int(self._ask(f"activate {rate} {block}"))

    def deactivate(self) -> None:
        self._ask("deactivate")

    def reset(self) -> None:
        self._ask("reset")

    def midi(self, frame: int, data: bytes) -> None:
        self._tell(f"midi {frame} {data.hex()}")

    def note(self, frame: int, kind: str, channel: int, key: int, velocity: float) -> None:
        self._tell(f"note {frame} {kind} {channel} {key} {velocity}")

    def set(self, name: str, value: float, frame: int = 0) -> None:
        self._tell(f"set {frame} {self.index[name]} {value}")

    def transport(self, is_playing: bool, seconds: float) -> None:
        self._tell(f"transport {int(is_playing)} {seconds!r}")

    def process(self, num_frames: int) -> np.ndarray:
        """Process a block, float32 (2, num_frames)."""
        self.constant_mask = int(self._ask(f"process {num_frames}"))
        assert self._process.stdout is not None
        data = self._process.stdout.read(2 * 4 * num_frames)
        return np.frombuffer(data, np.float32).reshape(2, num_frames)

    def time(self, count: int, num_frames: int) -> tuple[float, float, float, int, int]:
        """Process blocks at a sound card's pace: mean, P99 and longest processor time in us, allocations, locks."""
        mean, p99, longest, allocations, locks = self._ask(f"time {count} {num_frames}").split()
        return float(mean), float(p99), float(longest), int(allocations), int(locks)

    def flush(self) -> None:
        self._ask("flush")

    def value(self, name: str) -> float:
        return float(self._ask(f"value {self.index[name]}"))

    def output(self, name: str) -> float:
        return float(self._ask(f"output {self.index[name]}"))

    def text(self, name: str, value: float) -> str:
        return self._ask(f"text {self.index[name]} {value}")

    def number(self, name: str, text: str) -> float:
        return float(self._ask(f"number {self.index[name]} {text}"))

    def save(self) -> bytes:
        return bytes.fromhex(self._ask("save"))

    def load(self, state: bytes) -> bool:
        return self._ask(f"load {state.hex()}") == "1"

    def play(self, events: list[tuple[int, bytes]], num_frames: int, blocks: list[int]) -> np.ndarray:
        """Play events in blocks of the given lengths, over and over; float32 (2, num_frames)."""
        sound, frame, turn = [], 0, 0
        while frame < num_frames:
            length = min(blocks[turn % len(blocks)], num_frames - frame)
            for when, data in events:
                if frame <= when < frame + length:
                    self.midi(when - frame, data)
            sound.append(self.process(length))
            frame, turn = frame + length, turn + 1
        return np.concatenate(sound, axis=1)

    def close(self) -> tuple[int, str]:
        """Close the plugin and its host; return the exit status and what was written to stderr."""
        self._ask("close")
        _, errors = self._process.communicate(timeout=30)
        return self._process.returncode, errors.decode()
