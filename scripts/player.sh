#!/bin/sh
# Print the command of a sound player that this system has, or else of one that is easy to get.
for player in pw-play paplay aplay afplay ffplay mpv vlc play; do
    command -v "$player" >/dev/null && break
    player=aplay
done
echo "$player"
