"""A folder of 500 files of which 30 % are of no use: processor time, memory, and whether each is named rightly.

PYTHONPATH=tests/support python benchmarks/bad_folder.py
"""

from __future__ import annotations

import argparse
import resource
import tempfile
from pathlib import Path
from time import process_time

import bad_folder

from tnca_synth.training.material import understand


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=500)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "box"
        bad, good = bad_folder.make(folder, arguments.files)
        before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        begin_s = process_time()
        material = understand(folder)
        spent_s = process_time() - begin_s
        grown_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib) / 1024
    named = {one.place: one.kind for one in material.refused}
    right = sum(named.get(name) == kind for name, kind in bad.items())
    print(
        f"{right} of {len(bad)} bad files named with the right reason, {len(set(named) - set(bad))} good ones refused"
    )
    print(f"{len(material.notes)} of {good} good notes taken")
    print(f"{spent_s:.1f} s of processor time, {grown_mib:.0f} MiB more memory than before")


if __name__ == "__main__":
    main()
