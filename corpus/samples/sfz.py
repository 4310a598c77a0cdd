"""SFZ: the text that tells a sampler which file plays what (format: sfzformat.com)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from .note import Sample


def sfz_text(title: str, samples: Sequence[Sample], is_drums: bool, folder: str, span: tuple[int, int]) -> str:
    """Return an SFZ instrument of samples, of which every key has the same velocities or none.

    A key is played by the nearest sampled one, a velocity by the next higher one, softened to what lies between the
    measured levels of the two.

    Parameters
    ----------
    span : (int, int)
        Lowest and highest key to play.
    """
    lines = [f"// {title}", "<control>", f"default_path={folder}/", "<global>", "amp_veltrack=100", ""]
    keys = sorted({one.key for one in samples})
    for key, (low, high) in zip(keys, _zones(keys, is_drums, span), strict=True):
        layers = sorted((one for one in samples if one.key == key), key=lambda one: one.velocity)
        lines.append(f"<group> lokey={low} hikey={high} pitch_keycenter={key}")
        below: Sample | None = None
        for layer in layers:
            top = 127 if layer is layers[-1] else layer.velocity
            lines.append(f"<region> sample={layer.file} {_velocities(below, layer, top)} {_course(layer, is_drums)}")
            below = layer
        lines.append("")
    return "\n".join(lines)


def _zones(keys: Sequence[int], is_drums: bool, span: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the keys that each sampled one plays; drums play their own alone."""
    if is_drums:
        return [(key, key) for key in keys]
    splits = [(one + other) // 2 for one, other in pairwise(keys)]
    return list(zip([span[0], *(split + 1 for split in splits)], [*splits, span[1]], strict=True))


def _velocities(below: Sample | None, layer: Sample, top: int) -> str:
    """Return the velocities of a layer, and how loud the lowest of them is beside the highest."""
    if below is None:
        low, gain = 1, 1.0 / layer.velocity
    else:
        low = below.velocity + 1
        share = (low - below.velocity) / (layer.velocity - below.velocity)
        gain = min(10.0 ** ((1.0 - share) * (below.level_db - layer.level_db) / 20.0), 1.0)
    curve = (
        f"amp_velcurve_{layer.velocity}=1"
        if low == layer.velocity
        else (f"amp_velcurve_{low}={gain:.4f} amp_velcurve_{layer.velocity}=1")
    )
    return f"lovel={low} hivel={top} {curve}"


def _course(sample: Sample, is_drums: bool) -> str:
    if is_drums:
        return "loop_mode=one_shot"
    release = f"ampeg_release={sample.release_s:.3f}"
    if sample.loop is None:
        return f"loop_mode=no_loop {release}"
    return f"loop_mode=loop_continuous loop_start={sample.loop.start} loop_end={sample.loop.end} {release}"
