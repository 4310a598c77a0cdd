#!/bin/sh
# Make or complete the virtual environment: setup.sh base|dev FOLDER
# base: what playing needs. dev: training and testing too, in the versions of constraints.txt.
set -eu
cd "$(dirname "$0")/.."
kind=$1
venv=$2
python=${PYTHON:-python3}

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "tnca-synth needs Python 3.11 or newer, but $python is $("$python" -V 2>&1); name one: make PYTHON=..." >&2
    exit 1
}
if ! "$venv/bin/python" -c 'import pip' 2>/dev/null; then
    "$python" -c 'import ensurepip, venv' 2>/dev/null || scripts/system_packages.sh python3-venv
    echo "Making the virtual environment $venv with $("$python" -V)"
    rm -rf "$venv"
    "$python" -m venv "$venv"
fi
pip() { "$venv/bin/python" -m pip --disable-pip-version-check --quiet "$@"; }

# python-rtmidi has no wheel for some Pythons and systems; then it is compiled.
if ! pip install --only-binary python-rtmidi python-rtmidi 2>/dev/null; then
    echo "python-rtmidi has no wheel for this Python: it will be compiled"
    scripts/system_packages.sh g++ pkg-config libasound2-dev libjack-jackd2-dev
fi
case $kind in
base)
    echo "Installing tnca-synth and what it needs (about 150 MB)"
    pip install --editable .
    ;;
dev)
    # The engine's kernel is compiled on installing, where that is possible; its tests need it.
    command -v "${CC:-cc}" >/dev/null || scripts/system_packages.sh gcc libc6-dev
    # A judge of hearing that the tests use, visqol-python, asks for libsvm, which has no wheels.
    command -v "${CXX:-c++}" >/dev/null || scripts/system_packages.sh g++
    echo "Installing tnca-synth, torch and the tools for tests (about 1.5 GB)"
    pip install --constraint constraints.txt --editable '.[train,judges,scale,dev]'
    # Without what it asks for: PyAudio, which only its playing uses, often does not build.
    pip install --constraint constraints.txt --no-deps tinysoundfont
    # Tests compare with them; what else they ask for trains and downloads.
    pip install --constraint constraints.txt --no-deps bigvgan vocos
    ;;
*)
    echo "setup.sh: expected base or dev, got $kind" >&2
    exit 2
    ;;
esac
