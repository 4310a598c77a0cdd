"""The log-mel frames that vocoders trained elsewhere want, made of the frames that are grown here.

Theirs are natural logarithms of plain magnitudes (not power) in bands of another width, height and range, clipped from
below, some of them half a hop later than ours. Between the two lie the bins, which both kinds of bands are made of.

Letters: V voices, T frames, N bins, M bands of theirs.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....errors import BankError
from ...arrays import FloatArray
from ...spectra.spec import MOST, AudioSpec
from ...spectra.stft import hann, hz_to_mel, mel_to_hz
from ...values import number, truth, whole, wrong


@dataclass(frozen=True)
class ImportedMel:
    """What a vocoder is fed.

    Attributes
    ----------
    sample_rate, n_fft, hop_length : of the analysis, with a Hann window of n_fft samples
    num_mels : bands M
    fmin_hz, fmax_hz : where the bands begin and end
    scale : "slaney" (bands of equal area) or "htk" (of equal height)
    clip : smallest magnitude of a band
    centred : whether frame t lies around sample ``t * hop_length``, like ours, or half a hop later
    """

    sample_rate: int
    n_fft: int
    hop_length: int
    num_mels: int
    fmin_hz: float
    fmax_hz: float
    scale: str
    clip: float
    centred: bool

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a model's metadata."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ImportedMel:
        """Read a model's metadata; `BankError` if it is not what `to_dict` gives."""
        if set(values) != {one.name for one in fields(cls)}:
            raise BankError("the imported vocoder's metadata does not describe its mel; import it again")
        mel = cls(**values)
        mel.check()
        return mel

    def check(self) -> None:
        """Raise `BankError` for a value that no vocoder has."""
        for name in ("sample_rate", "n_fft", "hop_length", "num_mels"):
            whole(f"mel.{name}", getattr(self, name), 1, MOST[name])
        number("mel.fmin_hz", self.fmin_hz, 0.0, self.sample_rate / 2)
        number("mel.fmax_hz", self.fmax_hz, self.fmin_hz + 1.0, self.sample_rate)
        number("mel.clip", self.clip, 1e-12, 1.0)
        truth("mel.centred", self.centred)
        if self.scale not in ("slaney", "htk"):
            raise wrong("mel.scale", self.scale, "slaney or htk")

    @property
    def silence(self) -> float:
        """The value of every band in silence."""
        return float(np.log(self.clip))

    def differences(self, spec: AudioSpec) -> list[str]:
        """Return what keeps frames of a spec from becoming this mel, each as "44100 Hz, not 22050 Hz"."""
        pairs = (
            ("{} Hz", self.sample_rate, spec.sample_rate),
            ("a hop of {}", self.hop_length, spec.hop_length),
            ("an FFT of {}", self.n_fft, spec.n_fft),
        )
        return [f"{text.format(wanted)}, not {got}" for text, wanted, got in pairs if wanted != got]

    def log_mel(self, magnitude: FloatArray) -> FloatArray:
        """Return frames (..., M) of magnitudes (..., N), where a full-scale sine peaks at 1."""
        scale = np.float32(hann(self.n_fft).sum() / 2.0)
        bands = (magnitude * scale) @ foreign_filterbank(self).T
        return np.log(np.maximum(bands, np.float32(self.clip))).astype(np.float32)


@lru_cache(maxsize=8)
def foreign_filterbank(mel: ImportedMel) -> FloatArray:
    """Return the triangular bands over bins, float32 (M, N)."""
    to_mel, to_hz = (hz_to_mel, mel_to_hz) if mel.scale == "slaney" else (_hz_to_htk, _htk_to_hz)
    low, high = float(to_mel(mel.fmin_hz)), float(to_mel(mel.fmax_hz))
    edges = to_hz(np.linspace(low, high, mel.num_mels + 2))
    bins_hz = np.arange(mel.n_fft // 2 + 1) * mel.sample_rate / mel.n_fft
    rising = (bins_hz - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins_hz) / np.diff(edges)[1:, None]
    height = 2.0 / (edges[2:] - edges[:-2]) if mel.scale == "slaney" else np.ones(mel.num_mels)
    return (np.clip(np.minimum(rising, falling), 0.0, None) * height[:, None]).astype(np.float32)


def _hz_to_htk(hz: float) -> float:
    """Convert Hz to mel on HTK's scale (O'Shaughnessy, 1987)."""
    return float(2595.0 * np.log10(1.0 + hz / 700.0))


def _htk_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Invert `_hz_to_htk`."""
    return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
