"""Presets load, survive a checkpoint, and name what is wrong in them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tnca_synth.errors import TncaError, UsageError
from tnca_synth.export.kinds import EXPORTERS
from tnca_synth.training import registry
from tnca_synth.training.config.run import KINDS, PRESETS, TrainConfig, load_preset, train_config
from tnca_synth.training.sources.soundfont_file import DRUM_BANK, open_file

NAMES = sorted(path.stem for path in PRESETS.glob("*.toml") if path.stem != "instruments")
FULL_BAND = {"foundation", "foundation-added", "foundation-gpu"}
OF_EIGHT = {"codec", "hierarchical", "hierarchical-tune", "latent", "multi-scale"}  # as all of them grow


def test_the_presets_of_the_issue_are_there() -> None:
    assert {"dual", "mel", "conservative", "vocoder"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_preset_loads_and_survives_a_checkpoint(name: str) -> None:
    config = load_preset(name)
    assert config.name == name
    assert len(config.data.instruments) >= (8 if name in OF_EIGHT else 17)
    assert config.data.licence
    assert train_config(config.to_dict()) == config
    assert train_config(json.loads(json.dumps(config.to_dict()))) == config  # lists for tuples, as in TOML


@pytest.mark.parametrize("name", NAMES)
def test_presets_keep_the_designs_spec(name: str) -> None:
    config = load_preset(name)
    spec = config.model.spec
    sizes = (44100, 2048, 512, 96) if name in FULL_BAND else (22050, 1024, 256, 80)
    assert (spec.sample_rate, spec.n_fft, spec.hop_length, spec.num_mels) == sizes
    assert name in FULL_BAND or config.vocoder.spec == spec


def test_the_foundation_plays_all_there_is_but_what_is_added_to_it() -> None:
    trained, added = (load_preset(name).data.instruments for name in ("foundation", "foundation-added"))
    of_bank_0 = {one.program for one in added if not one.bank}
    assert len(of_bank_0) >= 24 and not of_bank_0 & {one.program for one in trained if not one.drum_keys}
    assert of_bank_0 | {one.program for one in trained if not one.drum_keys} == set(range(128))
    font = open_file(load_preset("foundation").data.soundfont)
    there = {(one.bank, one.program) for one in font.presets}
    assert {(DRUM_BANK if one.drum_keys else one.bank, one.program) for one in (*trained, *added)} == there
    assert not {one.name for one in trained} & {one.name for one in added}
    drums = {f"{one.name}:{key}" for one in trained if one.drum_keys for key in one.recorded}
    shared = [f"{kit}:{key}" for one in trained for kit, keys in one.like for key in keys]
    assert len(shared) > 1000 and set(shared) <= drums


@pytest.mark.parametrize("name", ["dual", "mel"])
def test_the_representations_are_presets(name: str) -> None:
    assert load_preset(name).model.representation == name


def test_an_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"'conservativ', did you mean 'conservative'\?; presets: .*mel"):
        load_preset("conservativ")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("iteration = 3", "unknown key 'iteration' in the preset, did you mean 'iterations'?"),
        ("[loss]\nfrequency_wieght = 3.0", "'frequency_wieght' in loss, did you mean 'frequency_weight'?"),
        ("[model]\nchanels = 16", "'chanels' in model, did you mean 'channels'?"),
        ("[model.spec]\nhop = 256", "'hop' in model.spec"),
        ("[data]\nvelocties = [1]", "'velocties' in data, did you mean 'velocities'?"),
        ('[data]\ninstruments = [{ name = "a", programm = 1 }]', "did you mean 'program'?"),
        ("[vocoder]\nhiden = 1", "'hiden' in vocoder, did you mean 'hidden'?"),
        (
            'kind = "wave"',
            "kind must be one of growth, vocoder, codec, latent, waveform, multi-scale, hierarchical, got 'wave'",
        ),
        ("batch_size = 600", "batch_size must be in 1..pool_size=512, got 600"),
        ("iterations = 0", "iterations must be at least 1"),
        ('[model]\nrepresentation = "wave"', "representation must be mel or dual, got 'wave'"),
        ("[model]\nchannels = 4", "channels must be at least 5, got 4"),
        ("[model.spec]\nhop_length = 0", "hop_length must be a positive integer, got 0"),
        ('[data]\ninstruments = [{ name = "a", program = 128 }]', "program must be in 0..127, got 128"),
        ("[data]\ninstruments = [{ program = 1 }]", "data.instruments"),
        ('iterations = "many"', "the preset"),
        ("seed = ", "is not valid TOML"),
        ("loss = 3", "loss"),
        ("data = 3", "data"),
    ],
)
def test_a_mistake_in_a_preset_is_one_line(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(TncaError) as caught:
        load_preset(str(path))
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_preset_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read preset .*absent\.toml: No such file"):
        load_preset(str(tmp_path / "absent.toml"))
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="not valid TOML"):
        load_preset(str(binary))


def test_a_preset_of_ones_own_shares_the_instruments(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("iterations = 5\n[data]\ntail_s = 0.5\n")
    config = load_preset(str(path))
    assert (config.name, config.iterations, config.data.tail_s) == ("mine", 5, 0.5)
    assert config.data.instruments == load_preset("dual").data.instruments
    assert config.loss == TrainConfig().loss


def test_a_preset_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xef\xbb\xbf# saved by an editor\r\niterations = 5\r\n")
    assert load_preset(str(path)).iterations == 5
    path.write_bytes("iterations = 5\n".encode("utf-16"))
    with pytest.raises(UsageError, match="it is UTF-16, expected UTF-8"):
        load_preset(str(path))


def test_every_kind_of_run_has_a_row_and_what_grows_can_be_exported() -> None:
    assert set(KINDS) == set(registry.KINDS)
    growing = {name for name, kind in registry.KINDS.items() if kind.grown is not None}
    assert growing | {"vocoder"} == set(EXPORTERS)
