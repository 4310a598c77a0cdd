"""Ardour without a display: makes a session with the plugin and a MIDI region, bounces it, loads it again."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from xml.etree import ElementTree as ET

import mido
import numpy as np
import soundfile

PROGRAMS, DATA, CONFIG = Path("/usr/lib/ardour7"), Path("/usr/share/ardour7"), Path("/etc/ardour7")
RATE = 48_000
STUCK_S = 90.0
TICKS_PER_BEAT = 1920
"""Of Ardour; at its 120 beats per minute, 3,840 ticks a second."""
GRAIN = 25
"""Frames of two ticks: events at multiples of it lie at the same frame in Ardour."""
_START = """
AudioEngine:set_backend("None (Dummy)", "", "")
assert(AudioEngine:set_buffer_size(256) == 0)
assert(AudioEngine:set_sample_rate({rate}) == 0)
assert(AudioEngine:start(false) == 0)
"""
_MAKE = """
local s = create_session("{folder}", "song", {rate})
local kind = ARDOUR.PluginType.{kind}
local info = ARDOUR.LuaAPI.new_plugin_info("{id}", kind)
assert(not info:isnil(), "the plugin was not found")
local midi = ARDOUR.ChanCount(ARDOUR.DataType("midi"), 1)
local audio = ARDOUR.ChanCount(ARDOUR.DataType("audio"), 2)
local tracks = s:new_midi_track(midi, audio, {strict}, info, nil, nil, 1, "Synth", -1, ARDOUR.TrackMode.Normal, true)
for track in tracks:iter() do
  local insert = track:nth_plugin(0):to_insert()
  print("latency", insert:signal_latency())
  local wait = 0
  while not (track:output():audio(0):connected() and track:output():audio(1):connected()) do
    ARDOUR.LuaAPI.usleep(10000) -- a thread of Ardour's connects tracks; what is saved before that is never heard
    wait = wait + 1
    assert(wait < 3000, "the track was not connected")
  end
  {more}
end
s:save_state("")
"""
_CONFIG = """<?xml version="1.0" encoding="UTF-8"?>
<Ardour><Config><Option name="port-resampler-quality" value="0"/></Config></Ardour>
"""
_LOAD = """
local s = load_session("{folder}", "song")
for track in s:get_routes():iter() do
  local processor = track:nth_plugin(0)
  if not processor:isnil() then
    print("plugin", processor:to_insert():plugin(0):name())
    {more}
  end
end
"""


def run_lua(script: str, folder: Path, environment: Mapping[str, str]) -> str:
    """Run a Lua script in Ardour and return what it printed."""
    file = folder / "script.lua"
    file.write_text(_START.format(rate=RATE) + script)
    for _ in range(3):  # now and then ports that were given back are there still, or a scan is not yet read
        done = subprocess.run(
            [str(PROGRAMS / "luasession"), str(file)],
            env=dict(environment),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if not any(one in done.stderr + done.stdout for one in ("Port already exists", "was not found")):
            break
        shutil.rmtree(folder / "session")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def make_session(
    folder: Path,
    environment: Mapping[str, str],
    kind: str,
    plugin_id: str,
    events: Sequence[tuple[int, bytes]],
    num_frames: int,
    more: str = "",
) -> int:
    """Make a session with one track: the plugin, and a region with `events`; return the latency that it told."""
    place = folder / "session"
    strict = str(kind == "LV2").lower()  # with strict ports this Ardour fails at VST3 instruments
    told = run_lua(
        _MAKE.format(folder=place, rate=RATE, kind=kind, id=plugin_id, more=more, strict=strict), folder, environment
    )
    _write_midi(place / "interchange" / "session" / "midifiles" / "song.mid", events, num_frames)
    _add_region(place / "song.ardour", num_frames)
    return int(next(line.split()[1] for line in told.splitlines() if line.startswith("latency")))


def play_automation(folder: Path, port: int) -> None:
    """Let the automation of an LV2 port be followed."""
    path = folder / "session" / "song.ardour"
    tree = ET.parse(path)
    lists = [one for one in tree.iter("AutomationList") if one.get("automation-id") == f"parameter-{port}"]
    assert lists and all(one.find("events") is not None for one in lists)
    for one in lists:
        one.set("state", "Play")
    tree.write(path, encoding="UTF-8", xml_declaration=True)


def load_session(folder: Path, environment: Mapping[str, str], more: str = "") -> str:
    """Load the session, run `more` for its plugin, and return what was printed."""
    return run_lua(_LOAD.format(folder=folder / "session", more=more), folder, environment)


def export(folder: Path, environment: Mapping[str, str]) -> np.ndarray:
    """Export the session; float32 (2, frames)."""
    out = folder / "bounce.wav"
    program = PROGRAMS / "utils" / "ardour7-export"
    command = [str(program), "-b", "float", "-s", str(RATE), "-o", str(out), str(folder / "session"), "song"]
    # Now and then this Ardour waits for its own butler thread, and that one for a lock, for good; or, with its file
    # whole, it dies of a double free in its PortExportChannel. Valgrind finds no fault in a run that goes well.
    for _ in range(3):
        with suppress(subprocess.TimeoutExpired):
            done = subprocess.run(
                command, env=dict(environment), capture_output=True, text=True, timeout=STUCK_S, check=False
            )
            if done.returncode >= 0:
                break
    assert done.returncode == 0 and out.exists(), done.stdout + done.stderr
    sound, rate = soundfile.read(out, dtype="float32", always_2d=True)
    assert rate == RATE
    return sound.T


def _ticks(frame: int) -> int:
    return round(frame * 2 * TICKS_PER_BEAT / RATE)


def _write_midi(path: Path, events: Sequence[tuple[int, bytes]], num_frames: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    track = mido.MidiTrack()
    now = 0
    for frame, data in events:
        assert frame % GRAIN == 0
        track.append(mido.Message.from_bytes(data, time=_ticks(frame) - now))
        now = _ticks(frame)
    track.append(mido.MetaMessage("end_of_track", time=max(0, _ticks(num_frames) - now)))
    file = mido.MidiFile(type=0, ticks_per_beat=TICKS_PER_BEAT)
    file.tracks.append(track)
    file.save(path)


def _add_region(path: Path, num_frames: int) -> None:
    """Write a source, a region that is the whole of it, and its place in the track's playlist into a session's file."""
    tree = ET.parse(path)
    root = tree.getroot()
    first = int(root.get("id-counter", "0")) + 1
    source, whole, placed = first, first + 1, first + 2
    root.set("id-counter", str(first + 3))
    ET.SubElement(
        root.find("Sources"),
        "Source",
        {"name": "song.mid", "take-id": "", "type": "midi", "flags": "Writable,CanRename", "id": str(source)},
    )
    length = f"b{_ticks(num_frames)}@b0"
    facts = {
        "name": "song", "muted": "0", "opaque": "1", "locked": "0", "video-locked": "0", "automatic": "0",
        "import": "0", "external": "0", "sync-marked": "0", "left-of-split": "0", "right-of-split": "0",
        "hidden": "0", "position-locked": "0", "valid-transients": "0", "start": "b0", "length": length,
        "sync-position": "b0", "ancestral-start": "b0", "ancestral-length": "b0@b0", "stretch": "1", "shift": "1",
        "layering-index": "0", "type": "midi", "first-edit": "nothing", "source-0": str(source),
        "master-source-0": str(source),
    }  # fmt: skip
    ET.SubElement(root.find("Regions"), "Region", {**facts, "id": str(whole), "whole-file": "1"})
    playlist = next(one for one in root.find("Playlists") if one.get("type") == "midi")
    ET.SubElement(playlist, "Region", {**facts, "id": str(placed), "whole-file": "0"})
    locations = root.find("Locations")
    for one in list(locations):
        if "IsSessionRange" in one.get("flags", ""):
            locations.remove(one)
    span = {"id": str(first + 3), "name": "session", "start": "a0", "end": f"a{num_frames * 282240000 // RATE}"}
    ET.SubElement(locations, "Location", {**span, "flags": "IsSessionRange", "locked": "0", "timestamp": "0"})
    tree.write(path, encoding="UTF-8", xml_declaration=True)


def environment_for(home: Path, base: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment of an Ardour that has nothing of the user's.

    Nor has it the names of others' MIDI instruments: a thread of Ardour's reads these 450 files while a session is made
    or loaded, and now and then one of them is empty for it, or the heap is damaged. Its ports do not resample, which is
    for other speeds alone: now and then an export began earlier by their 16 frames of latency.
    """
    data = home / "ardour-data"
    data.mkdir()
    for path in DATA.iterdir():
        if path.name != "patchfiles":
            (data / path.name).symlink_to(path)
    config = home / ".config" / "ardour7" / "config"
    config.parent.mkdir(parents=True)
    config.write_text(_CONFIG)
    libraries = os.pathsep.join([str(PROGRAMS), *filter(None, [base.get("LD_LIBRARY_PATH")])])
    places = {"ARDOUR_DATA_PATH": data, "ARDOUR_CONFIG_PATH": CONFIG, "ARDOUR_DLL_PATH": PROGRAMS}
    own = {"HOME": home, "XDG_CONFIG_HOME": home / ".config", "XDG_CACHE_HOME": home / ".cache"}
    return {**base, **{name: str(path) for name, path in {**places, **own}.items()}, "LD_LIBRARY_PATH": libraries}
