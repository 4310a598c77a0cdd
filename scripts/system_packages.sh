#!/bin/sh
# See to it that Debian packages are there: system_packages.sh NAME...
# Installs them where it may (root, or sudo without a password); else says which are missing and fails.
# On systems without apt it only says what is needed, for there is no telling what is installed.
set -eu
if ! command -v apt-get >/dev/null; then
    echo "Note: on Debian this needs the packages $*; install what corresponds to them here." >&2
    exit 0
fi
missing=
for name in "$@"; do
    dpkg-query --show --showformat '${db:Status-Status}\n' "$name" 2>/dev/null | grep -qx installed ||
        missing="$missing $name"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    sudo=
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    sudo=sudo
else
    echo "Missing system packages; install them with: sudo apt-get install$missing" >&2
    exit 1
fi
echo "Installing system packages:$missing"
export DEBIAN_FRONTEND=noninteractive
# jackd2 asks whether it may lift the limits of real-time scheduling for a group: not here.
echo "jackd2 jackd/tweak_rt_limits boolean false" | $sudo debconf-set-selections
# Another apt that is at work is waited for, such as the one that a system starts by itself.
lock="-o DPkg::Lock::Timeout=600"
# shellcheck disable=SC2086 # the names are to be split
$sudo apt-get $lock update -qq && $sudo apt-get $lock install -qq -y --no-install-recommends $missing >/dev/null
