"""What a project keeps of a plugin, and the texts of its parameters."""

import ctypes
import random
import time
from collections.abc import Callable

import numpy as np
import pytest
from bridge_client import Client, bounce
from own_files import sha256, shipped_instrument

from tnca_synth.bridge.layout import USER, InstrumentRecord
from tnca_synth.bridge.parameters import INDEX, PARAMETERS
from tnca_synth.engine.instrument_files.file import write_instrument
from tnca_synth.engine.open import assemble_synth
from tnca_synth.midi.messages import note_on, program_change

OpenClient = Callable[..., Client]


def test_a_state_restores_parameters_and_sound(open_client: OpenClient) -> None:
    first, second = open_client(), open_client()
    for symbol, value in (("instrument", 74.0), ("growth_rate", 0.7), ("reverb", 3.0), ("tuning", -31.25)):
        first.set_parameter(INDEX[symbol], value)
    assert second.load(first.state().encode()) == 0
    assert second.state() == first.state()
    note = [(0, note_on(0, 60, 100))]
    assert np.array_equal(*(bounce(one, note, 9_000, random.Random(1)) for one in (first, second)))


def test_what_a_newer_version_has_added_is_kept(open_client: OpenClient) -> None:
    client = open_client(is_active=False)
    added = "parameter shimmer 0.25\nscene night 3\n"
    state = "tnca-synth state 7\nparameter growth_rate 2\n" + added
    assert client.load(state.encode()) == 0
    assert client.parameter(INDEX["growth_rate"]) == 2.0
    assert client.state().endswith(added)


def test_an_older_state_leaves_the_rest_as_it_is_at_first(open_client: OpenClient) -> None:
    client = open_client(is_active=False)
    client.set_parameter(INDEX["chorus"], 50.0)
    assert client.load(b"tnca-synth state 1\nparameter level -3\n") == 0
    assert [client.parameter(INDEX[name]) for name in ("level", "chorus")] == [-3.0, 0.0]


@pytest.mark.parametrize("state", [b"", b"hello", b"tnca-synth", b"\xff\xfe", b"x" * 70_000])
def test_what_is_no_state_changes_nothing(open_client: OpenClient, state: bytes) -> None:
    client = open_client(is_active=False)
    client.set_parameter(INDEX["level"], -9.0)
    assert client.load(state) == -1
    assert client.parameter(INDEX["level"]) == -9.0


def test_random_states_do_no_harm(open_client: OpenClient) -> None:
    client, chance = open_client(is_active=False), random.Random(1)
    words = ["parameter", "instrument", "level", "nan", "1e99", "-5", "voices", "seed", "\n", " ", "x" * 300, "77", "-"]
    for _ in range(500):
        text = "tnca-synth state 1\n" + " ".join(chance.choices(words, k=chance.randrange(60)))
        assert client.load(text.encode()) == 0
        assert all(one.low <= client.parameter(index) <= one.high for index, one in enumerate(PARAMETERS))
        assert client.state().startswith("tnca-synth state 1\n")


def test_a_missing_instrument_is_named_replaced_and_still_asked_for(open_client: OpenClient) -> None:
    client = open_client()
    state = f"tnca-synth state 1\ninstrument 200 40 {'ab' * 32} grandmother's fiddle\n"
    client.load(state.encode())
    end_s = time.monotonic() + 5.0
    while b"missing" not in client.status.text and time.monotonic() < end_s:
        time.sleep(0.02)
    assert "'grandmother's fiddle' is missing: 'violin' plays" in client.status.text.decode()
    assert client.parameter(INDEX["instrument"]) == 41.0
    assert f"{'ab' * 32} grandmother's fiddle" in client.state()


def test_an_instrument_that_has_moved_is_found_by_its_name(open_client: OpenClient) -> None:
    client = open_client()
    client.load(b"tnca-synth state 1\ninstrument 99 3 - cello\n")
    end_s = time.monotonic() + 5.0
    while client.parameter(INDEX["instrument"]) != 43.0 and time.monotonic() < end_s:
        time.sleep(0.02)
    assert client.parameter(INDEX["instrument"]) == 43.0
    assert b"missing" not in client.status.text


def test_the_list_names_what_plays_every_program(open_client: OpenClient) -> None:
    client = open_client()
    records = (InstrumentRecord * 256)()
    end_s = time.monotonic() + 5.0
    while not (count := client.instruments(ctypes.byref(records), 256)) and time.monotonic() < end_s:
        time.sleep(0.02)
    assert [record.value for record in records[:count]] == list(range(1, 129))
    assert (records[40].name, records[40].flags) == (b"violin", 0)
    assert (records[41].name, records[41].flags) == (b"viola", 0)


def test_texts_of_parameters_go_both_ways(open_client: OpenClient) -> None:
    client = open_client()
    time.sleep(0.1)
    value = ctypes.c_float()
    for symbol, number, text in (
        ("instrument", 0.0, "MIDI program"),
        ("instrument", 41.0, "violin"),
        ("instrument", 42.0, "viola"),
        ("representation", 2.0, "dual"),
        ("level", -6.0, "-6.00 dB"),
        ("tuning", 25.0, "25.0 cents"),
        ("growth_rate", 1.5, "1.50 x"),
    ):
        assert client.text(INDEX[symbol], number) == text
        assert client.parameter_value(INDEX[symbol], text.encode(), ctypes.byref(value)) == 0
        assert value.value == number
    assert client.parameter_value(INDEX["decoder"], b"nonsense", ctypes.byref(value)) == -1


def test_instruments_of_the_user_are_listed_found_by_hash_and_played(open_client: OpenClient, own_instruments) -> None:
    client, other = open_client(), open_client()
    path = own_instruments / "somewhere.tnca"
    write_instrument(path, shipped_instrument("cello"))
    records = (InstrumentRecord * 256)()
    end_s = time.monotonic() + 8.0
    while client.instruments(ctypes.byref(records), 256) != 129 and time.monotonic() < end_s:
        time.sleep(0.02)
    listed = records[128]
    assert (listed.value, listed.flags, listed.hash) == (129, USER, sha256(path.read_bytes()).encode())
    client.load(f"tnca-synth state 1\ninstrument 7 42 {listed.hash.decode()} its former name\n".encode())
    while client.parameter(INDEX["instrument"]) != 129.0 and time.monotonic() < end_s:
        time.sleep(0.02)
    got = bounce(client, [(0, note_on(0, 60, 100))], 9_000, random.Random(1))
    ensemble = assemble_synth(sample_rate=48_000, instrument=path)
    ensemble.synth.send(note_on(0, 60, 100), 0)
    assert np.array_equal(got, ensemble.synth.render(9_000))
    cello = assemble_synth(sample_rate=48_000)
    for data in (program_change(0, 42), note_on(0, 60, 100)):
        cello.synth.send(data, 0)
    plain = bounce(other, [(0, program_change(0, 42)), (0, note_on(0, 60, 100))], 9_000, random.Random(1))
    assert np.array_equal(plain, cello.synth.render(9_000))
