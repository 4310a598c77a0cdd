"""Write the example songs into a folder, by default `examples/`."""

import argparse
from pathlib import Path

from . import canon, prelude, tour

_PIECES = {"canon.mid": canon.compose, "prelude.mid": prelude.compose, "tour.mid": tour.compose}


def main() -> None:
    """Parse the folder and write every piece into it."""
    parser = argparse.ArgumentParser(prog="examples.compose", description="Write the example songs.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parents[1])
    folder = parser.parse_args().folder
    for name, compose in _PIECES.items():
        compose().save(folder / name)
        print(folder / name)


if __name__ == "__main__":
    main()
