"""Every decoder by name, and how it is made for what a model grows: a further decoder is a further line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from ...errors import UsageError
from ..models.growth_model import OnnxGrowthModel
from .additive import AdditiveDecoder
from .base import Decoder
from .codec import CodecDecoder
from .combined.blend import EnsembleDecoder
from .combined.by_sound_class import SoundClassDecoder
from .fine_harmonic import FineHarmonicDecoder
from .griffin_lim import GriffinLimDecoder
from .harmonic import HarmonicDecoder
from .imported.decoder import ImportedDecoder
from .vocoder import VocoderDecoder
from .waveform import WaveformGridDecoder


@dataclass(frozen=True, eq=False)
class Parts:
    """What decoders are made from.

    Attributes
    ----------
    models : the bank's decoder models by name, the contents of their files
    growth : what grows the fields to decode
    num_slots : voices that it must have room for
    """

    models: Mapping[str, bytes]
    growth: OnnxGrowthModel
    num_slots: int

    @property
    def magnitudes(self) -> str:
        """Name of the field with the finest magnitudes."""
        return "linear" if "linear" in self.growth.fields else "mel"

    def model(self, name: str) -> bytes:
        """Return a decoder model of the bank; `UsageError` if it has none."""
        if name not in self.models:
            raise UsageError(f"this bank has no model of the {name} decoder: choose another decoder")
        return self.models[name]


def _imported(parts: Parts) -> Decoder:
    return ImportedDecoder(parts.model("imported"), parts.growth.spec, parts.magnitudes, parts.growth.provider)


def _griffin_lim(parts: Parts) -> Decoder:
    return GriffinLimDecoder(parts.growth.spec, parts.num_slots, parts.magnitudes)


def _by_kind(parts: Parts, pitched: Decoder, leader: HarmonicDecoder | VocoderDecoder) -> Decoder:
    """Return a decoder of notes with a pitch that leaves all others to a search for phases, or to `leader`: noise."""
    spec, field = parts.growth.spec, leader.consumes[0]
    # Two iterations over three frames are enough: tom, drums and sea shore have a distance of 0.804 so, 0.804 with six
    # over four, 0.90 with one; and it costs a third.
    resonant = GriffinLimDecoder(spec, parts.num_slots, field, iterations=2, spare_frames=0)
    return SoundClassDecoder(spec, parts.num_slots, pitched, resonant, leader, leader.first_levels)


def _harmonic(parts: Parts) -> Decoder:
    leader = HarmonicDecoder(parts.growth.spec, parts.num_slots)
    return _by_kind(parts, leader, leader)


def _vocoder(parts: Parts) -> Decoder:
    leader = _bare_vocoder(parts)
    return _by_kind(parts, leader, leader)


def _ensemble(parts: Parts) -> Decoder:
    spec, slots = parts.growth.spec, parts.num_slots
    leader = HarmonicDecoder(spec, slots) if parts.magnitudes == "linear" else _bare_vocoder(parts)
    return _by_kind(parts, EnsembleDecoder(leader, spec, slots, parts.magnitudes), leader)


def _bare_vocoder(parts: Parts) -> VocoderDecoder:
    sounding = HarmonicDecoder(parts.growth.spec, parts.num_slots)
    return VocoderDecoder(parts.model("vocoder"), sounding, parts.num_slots, parts.growth.provider)


MAKERS: Final[Mapping[str, Callable[[Parts], Decoder]]] = {
    "vocoder": _vocoder,
    "griffin-lim": _griffin_lim,
    "harmonic": _harmonic,
    "fine-harmonic": lambda parts: FineHarmonicDecoder(parts.growth.spec, parts.num_slots),
    "latent": lambda parts: CodecDecoder(parts.model("latent"), parts.num_slots, parts.growth.provider),
    "direct": lambda parts: WaveformGridDecoder(parts.model("direct"), parts.num_slots, parts.growth.provider),
    "ensemble": _ensemble,
    "imported": _imported,
    "glides": lambda parts: AdditiveDecoder(parts.growth.spec, parts.num_slots),
}


def make_decoder(name: str, parts: Parts) -> Decoder:
    """Make a decoder by its name in `engine.names`; `UsageError` if it cannot decode what is grown."""
    decoder = MAKERS[name](parts)
    missing = [one for one in decoder.consumes if one not in parts.growth.fields]
    if missing:
        grown = parts.growth.representation
        raise UsageError(
            f"the {name} decoder needs the field {missing[0]!r}, which the {grown} representation does not grow: "
            "choose another decoder or representation"
        )
    return decoder
