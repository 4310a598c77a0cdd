"""Draw docs/screen.svg: the screen of live play, with a chord that is really playing.

python benchmarks/screen_picture.py docs/screen.svg
"""

import asyncio
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tnca_synth.live.screen.screen import PlayScreen
from tnca_synth.live.session.session import LiveOptions, LiveSession

SIZE = (80, 24)
CHORD = "adgk"


async def draw(session: LiveSession, path: Path) -> None:
    with TemporaryDirectory() as folder:
        app = PlayScreen(session, Path(folder) / "tnca-synth.toml")
        async with app.run_test(size=SIZE) as pilot:
            await pilot.press("space", *CHORD)
            await pilot.pause(0.6)
            path.write_text(app.export_screenshot(title="tnca-synth --midi-in --instrument strings"))


def main() -> None:
    with LiveSession(LiveOptions(instrument="strings", block_size=512)) as session:
        asyncio.run(draw(session, Path(sys.argv[1])))


if __name__ == "__main__":
    main()
