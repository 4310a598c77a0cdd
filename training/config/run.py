"""Presets: TOML in, frozen dataclasses out; an unknown key is an error that names the nearest known one."""

from __future__ import annotations

import difflib
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from ...engine.regular_files import read_toml
from ...engine.spectra.spec import AudioSpec
from ...errors import UsageError
from .instruments import InstrumentConfig
from .models import HierarchicalConfig, NCAConfig, ScaleConfig, VocoderConfig
from .sound_models import CodecConfig, LatentConfig, WaveformConfig

KINDS = ("growth", "vocoder", "codec", "latent", "waveform", "multi-scale", "hierarchical")
SOURCES = ("soundfont", "folder", "nsynth")
PRESETS = Path(__file__).parent / "presets"
PLAIN_TYPES: dict[str, type | tuple[type, ...]] = {"int": int, "float": (int, float), "str": str, "bool": bool}
Table = TypeVar("Table")


@dataclass(frozen=True)
class DataConfig:
    """Which recordings to learn from.

    `source` is "soundfont" (`soundfont`, `instruments`, `velocities`, `holds_s` and `tail_s` say what is rendered), or
    "folder" or "nsynth" (`path` names the folder). `holds_s` groups hold lengths in seconds: every key and velocity is
    rendered once per group, cycling through it.

    With `zones` one key of each zone of the SoundFont is rendered instead of all, and what its velocity layers have
    (`sources.zone_notes`). Linear bins above `thinned_above_hz` are kept one in `thinned`; 0 keeps all.

    Of a folder `instrument`, `middle_c_octave`, `unpitched`, `drums` and `velocity` say what its names do not (see
    `sources.FolderSource`). Of an NSynth set `families` and `chosen` say what to take, all where they are empty, and
    `limit` how many notes at most, 0 for all; a preset may write ``instruments = ["NAME"]`` for `chosen`.
    """

    source: str = "soundfont"
    path: str = ""
    soundfont: str = "/usr/share/sounds/sf3/FluidR3Mono_GM.sf3"
    licence: str = ""
    velocities: tuple[int, ...] = (32, 64, 90, 120)
    holds_s: tuple[tuple[float, ...], ...] = ((0.15, 0.5, 1.0), (1.5, 2.5, 4.0))
    tail_s: float = 1.0
    instruments: tuple[InstrumentConfig, ...] = ()
    zones: bool = False
    thinned_above_hz: float = 0.0
    thinned: int = 8
    instrument: str = ""
    middle_c_octave: int = 4
    unpitched: bool | tuple[str, ...] = ()
    drums: bool = False
    velocity: int = 100
    families: tuple[str, ...] = ()
    chosen: tuple[str, ...] = ()
    limit: int = 0

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            raise UsageError(f"data.source must be one of {', '.join(SOURCES)}, got {self.source!r}")
        if self.source != "soundfont" and not self.path:
            raise UsageError(f"data.path must name the folder of the {self.source} source")
        for name, low, high in (
            ("middle_c_octave", 2, 6),
            ("velocity", 1, 127),
            ("limit", 0, 1_000_000_000),
            ("thinned", 1, 64),
        ):
            if not low <= getattr(self, name) <= high:
                raise UsageError(f"data.{name} must be in {low}..{high}, got {getattr(self, name)}")
        for source, names in OPTIONS_OF.items():
            set_here = [name for name in names if getattr(self, name) != DEFAULTS[name]]
            if self.source != source and set_here:
                raise UsageError(f"data.{set_here[0]} is for the {source} source, but data.source is {self.source!r}")

    def is_unpitched(self, instrument: str) -> bool:
        """Tell whether an instrument of a folder has no fundamental."""
        return self.drums or self.unpitched is True or (self.unpitched is not False and instrument in self.unpitched)


def find_source(folder: Path) -> str:
    """Return which source reads a folder: "nsynth" where its table lies in it, else "folder"."""
    return "nsynth" if (folder / "examples.json").is_file() else "folder"


OPTIONS_OF = {
    "folder": ("instrument", "middle_c_octave", "unpitched", "drums", "velocity"),
    "nsynth": ("families", "chosen", "limit"),
}
"""What says how a source is read, by the source."""
DEFAULTS = {one.name: one.default for one in fields(DataConfig)}


@dataclass(frozen=True)
class LossConfig:
    """Weights of the training loss.

    `frequency_weight` is the weight of the top band where the lowest has 1. `l1` weighs the level error,
    `perceptual` the loudness error over several scales, `linear` the linear side of the dual representation.
    `hearing`, 0..1, is how far levels count less that are masked by louder ones; see `losses.audibility`.
    `convergence` weighs the spectral convergence of the side that is decoded, from iteration `convergence_from` on,
    `waveform` what is heard of the hierarchical representation.
    """

    l1: float = 1.0
    perceptual: float = 0.0
    frequency_weight: float = 1.0
    tonality: float = 0.3
    hearing: float = 0.0
    linear: float = 0.5
    convergence: float = 0.0
    convergence_from: int = 0
    waveform: float = 1.0
    alpha: float = 0.1
    overflow: float = 0.1


@dataclass(frozen=True)
class TrainConfig:
    """One training run; saved whole in its checkpoints.

    `kind` is what is trained: "growth" (the TNCA of `model`), "vocoder", "codec", "latent", "waveform" or
    "multi-scale". `started_from` is the
    checkpoint whose weights it begins with, if any. `pitch_jitter` (semitones) and
    `velocity_jitter` (0..1) are standard deviations; see `NoteSeed.forward`. Of each window `read_frames` are read out
    on the linear side, on `read_bins` bins drawn anew for each; 0 reads all. With `balance` 0 all notes are drawn
    equally often, with 1 all instruments; with `seek` above 0 those more often that are far from their
    recordings (its power of their error). `borrowed_key_share` of the notes take
    the colour of their key from its neighbours, as keys never recorded must. `scales_join` says after which shares of
    the iterations the second and the third scale of "multi-scale" join the first, `stages_join` after which
    "hierarchical" goes on to its refinement, its waveform decoder, and all of it together.
    """

    name: str = "dual"
    kind: str = "growth"
    started_from: str = ""
    seed: int = 0
    iterations: int = 10000
    batch_size: int = 64
    window_frames: int = 32
    pool_size: int = 512
    read_bins: int = 0
    read_frames: int = 4
    balance: float = 0.0
    seek: float = 0.0
    learning_rate: float = 3e-3
    ema: float = 0.998
    pitch_jitter: float = 0.0
    velocity_jitter: float = 0.0
    damage_share: float = 0.05
    slow_fire_share: float = 0.3
    overtime_share: float = 0.15
    borrowed_key_share: float = 0.15
    checkpoint_every: int = 250
    validate_every: int = 1000
    compile: bool = False
    scales_join: tuple[float, ...] = (0.15, 0.4)
    stages_join: tuple[float, ...] = (0.1, 0.3, 0.4)
    data: DataConfig = field(default_factory=DataConfig)
    model: NCAConfig = field(default_factory=NCAConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    vocoder: VocoderConfig = field(default_factory=VocoderConfig)
    codec: CodecConfig = field(default_factory=CodecConfig)
    latent: LatentConfig = field(default_factory=LatentConfig)
    waveform: WaveformConfig = field(default_factory=WaveformConfig)
    scales: ScaleConfig = field(default_factory=ScaleConfig)
    hierarchical: HierarchicalConfig = field(default_factory=HierarchicalConfig)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UsageError(f"kind must be one of {', '.join(KINDS)}, got {self.kind!r}")
        if not 1 <= self.batch_size <= self.pool_size:
            raise UsageError(f"batch_size must be in 1..pool_size={self.pool_size}, got {self.batch_size}")
        if self.data.zones and self.kind != "growth":
            raise UsageError(f"data.zones is for the kind growth, got {self.kind}")
        if self.iterations < 1 or self.window_frames < 2:
            raise UsageError("iterations must be at least 1 and window_frames at least 2")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values; `train_config` rebuilds the config from them."""
        return asdict(self)


def load_preset(name_or_path: str) -> TrainConfig:
    """Read a preset by name (`dual`, `mel`, `conservative`, ...) or by path to a TOML file."""
    path = Path(name_or_path)
    if path.suffix != ".toml":
        known = sorted(p.stem for p in PRESETS.glob("*.toml") if p.stem != "instruments")
        if name_or_path not in known:
            raise UsageError(
                f"unknown preset {name_or_path!r}{_nearest(name_or_path, known)}; presets: {', '.join(known)}"
            )
        path = PRESETS / f"{name_or_path}.toml"
    try:
        values = read_toml(path)
    except OSError as error:
        raise UsageError(f"cannot read preset {path}: {error.strerror}") from error
    except ValueError as error:  # TOML's own, or not UTF-8
        raise UsageError(f"{path} is not valid TOML: {error}") from error
    data = section(values, "data")
    if "instruments" not in data and data.get("source", "soundfont") == "soundfont":
        shared = read_toml(PRESETS / "instruments.toml")
        values["data"] = {**shared, **data}
    return train_config({"name": path.stem, **values})


def train_config(values: dict[str, Any]) -> TrainConfig:
    """Build a `TrainConfig` from nested plain values, checking every key."""
    values = dict(values)
    data = section(values, "data")
    listed = data.pop("instruments", ())
    if listed and all(isinstance(one, str) for one in listed):
        data["chosen"] = listed
    else:
        data["instruments"] = tuple(_instrument(one) for one in listed)
    for name in ("unpitched", "families", "chosen"):
        data[name] = _names(data.get(name, ()), name)
    values["scales_join"] = tuple(values.get("scales_join", TrainConfig.scales_join))
    values["stages_join"] = tuple(values.get("stages_join", TrainConfig.stages_join))
    data["velocities"] = tuple(data.get("velocities", DataConfig.velocities))
    data["holds_s"] = tuple(tuple(group) for group in data.get("holds_s", DataConfig.holds_s))
    model, vocoder, codec = (section(values, name) for name in ("model", "vocoder", "codec"))
    codec["ratios"] = tuple(codec.get("ratios", CodecConfig.ratios))
    codec["spec"] = table(AudioSpec, section(codec, "spec"), "codec.spec")
    values["codec"] = table(CodecConfig, codec, "codec")
    latent = section(values, "latent")
    latent["spec"] = table(AudioSpec, section(latent, "spec"), "latent.spec")
    values["latent"] = table(LatentConfig, latent, "latent")
    waveform = section(values, "waveform")
    waveform["spec"] = table(AudioSpec, section(waveform, "spec"), "waveform.spec")
    values["waveform"] = table(WaveformConfig, waveform, "waveform")
    scales = section(values, "scales")
    scales["spec"] = table(AudioSpec, section(scales, "spec"), "scales.spec")
    values["scales"] = table(ScaleConfig, scales, "scales")
    staged = section(values, "hierarchical")
    staged["spec"] = table(AudioSpec, section(staged, "spec"), "hierarchical.spec")
    values["hierarchical"] = table(HierarchicalConfig, staged, "hierarchical")
    model["spec"] = table(AudioSpec, section(model, "spec"), "model.spec")
    vocoder["spec"] = table(AudioSpec, section(vocoder, "spec"), "vocoder.spec")
    values["data"] = table(DataConfig, data, "data")
    values["model"] = table(NCAConfig, model, "model")
    values["vocoder"] = table(VocoderConfig, vocoder, "vocoder")
    values["loss"] = table(LossConfig, section(values, "loss"), "loss")
    return table(TrainConfig, values, "the preset")


def _instrument(values: dict[str, Any]) -> InstrumentConfig:
    keys = tuple(values.get("keys", ()))
    like = values.get("like", ())
    pairs = like.items() if isinstance(like, dict) else like
    others = tuple((name, tuple(own)) for name, own in pairs)
    return table(InstrumentConfig, {**values, "keys": keys, "like": others}, "data.instruments")


def _names(value: Any, key: str) -> bool | tuple[str, ...]:
    """Return a list of names as a tuple; `unpitched` may also be true or false."""
    if isinstance(value, bool) and key == "unpitched":
        return value
    if not isinstance(value, (list, tuple)) or not all(isinstance(one, str) for one in value):
        raise UsageError(f"data.{key} must be a list of names, got {value!r}")
    return tuple(value)


def section(values: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a copy of a table within a table, empty where there is none."""
    inner = values.get(name, {})
    if not isinstance(inner, dict):
        raise UsageError(f"{name} must be a table of keys and values, got {inner!r}")
    return dict(inner)


def table(kind: type[Table], values: dict[str, Any], where: str) -> Table:
    """Build a config dataclass from a TOML table; an unknown, wrong or missing key raises `UsageError`."""
    known = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]
    for key, value in values.items():
        if key not in known:
            raise UsageError(f"unknown key {key!r} in {where}{_nearest(key, list(known))}")
        wanted = str(known[key].type)
        is_bool_for_number = isinstance(value, bool) and wanted in ("int", "float")
        if wanted in PLAIN_TYPES and (is_bool_for_number or not isinstance(value, PLAIN_TYPES[wanted])):
            raise UsageError(f"{key} in {where} must be of type {wanted}, got {value!r}")
    for name, one in known.items():
        if name not in values and one.default is MISSING and one.default_factory is MISSING:
            raise UsageError(f"{where} lacks the key {name!r}")
    return kind(**values)


def _nearest(word: str, known: list[str]) -> str:
    match = difflib.get_close_matches(word, known, n=1)
    return f", did you mean {match[0]!r}?" if match else ""
