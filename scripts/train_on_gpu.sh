#!/bin/sh
# Go on with the foundation on a GPU for some minutes: what took a night of CPU. Needs the SoundFont and the extra
# "train" with a PyTorch that sees the GPU. Measured recordings are prepared first, without the GPU (about ten minutes
# of a core, once), so that its time goes into training alone.
#
#     scripts/train_on_gpu.sh            # 8 minutes from the weights in foundation/
#     MINUTES=30 scripts/train_on_gpu.sh
#
# PRESET, START, OUTPUT, DEVICE and CACHE may be set as well; DEVICE=cpu rehearses it. To go on with what it left in
# OUTPUT, run it again with RESUME=1.
set -eu
preset=${PRESET:-foundation-gpu}
output=${OUTPUT:-runs/foundation-gpu}
cache=${CACHE:-runs/cache}
python -m tnca_synth.training.prepare "$preset" --cache "$cache"
if [ -n "${RESUME:-}" ]; then
    set -- --resume
else
    set -- --start-from "${START:-foundation/weights.npz}"
fi
exec python -m tnca_synth train "$preset" "$@" --output "$output" --cache "$cache" \
    --device "${DEVICE:-cuda}" --minutes "${MINUTES:-8}" --threads "$(nproc)"
