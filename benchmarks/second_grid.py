"""Grow the linear side as a grid of its own, and compare it with the read-out of the shared grid.

    python benchmarks/second_grid.py [--iterations 1200] [--batch 16] [--hidden 128] [--instruments NAME ...] [--seed 0]
                                     [--notes 6] [--frames 4] [--time-share 0.55] [--cache runs/cache]
                                     [--threads 1] [--json]

Three ways to 513 linear bins are trained from nothing with preset `dual` (its widths, rates and loss weights):

- read-out: as shipped. 80 cells grow mel and linear levels, and each bin reads the cells around it. Its loss has a mel
  side, too, as the preset has it.
- second grid: 513 cells, one for each bin, under the same update rule, with a seed, genes and weights of their own. A
  cell has the genes of the bands around it and of its place among the partials: what a bin of the read-out is told,
  and what the cells are told that it reads. There is no mel side: what grows the mel comes on top of its cost.
- read-out, longer (`--time-share`): the read-out again, for as many iterations as take this share of the time of the
  second grid.

Both are compared with the recordings in the same number of frames of each window (`--frames` gives the second grid
others: its cells are there in all of them). Prints, for each, the error of linear levels in dB on held-out notes grown
from their seeds, the median processor seconds of an iteration, parameters, and what a hop of growth costs for 8 voices.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from tnca_synth.engine.spectra.stft import bins_among_bands
from tnca_synth.training.config.models import ALPHA, NCAConfig
from tnca_synth.training.config.run import TrainConfig, load_preset
from tnca_synth.training.data.dataset import NoteSet, load_notes
from tnca_synth.training.loop.loop import Losses, PooledLoop
from tnca_synth.training.loop.losses import alpha_loss, convergence_loss, overflow_loss, pair_loss
from tnca_synth.training.loop.pool import Overtime, SamplePool
from tnca_synth.training.loop.rollout import GrowingModel, NoteBatch, plant
from tnca_synth.training.loop.windows import grow_window
from tnca_synth.training.multiscale.nca import Between
from tnca_synth.training.spectral.nca import TNCA, NoteSeed
from tnca_synth.training.spectral.trainer import Trainer
from tnca_synth.training.validation.fields import by_instrument, field_errors_db, validation_notes

INSTRUMENTS = ("grand-piano", "church-organ", "violin", "choir", "trumpet", "standard-kit")
VOICES, STEP_TURNS = 8, 200
READ_FRAMES = 4
RATE_SPAN = 2.0  # how far bins may be off the decay rates of the bands around them, as an exponent of e


class SecondGridConfig(NCAConfig):
    """Size of a `SecondGrid`: one cell for each bin. Its representation is "mel", because no cell is read out."""

    @property
    def cells(self) -> int:
        """Cells of a grid."""
        return self.spec.num_bins

    @property
    def field_names(self) -> tuple[str, ...]:
        """Names of what is grown."""
        return ("linear",)

    @classmethod
    def of(cls, dual: NCAConfig) -> SecondGridConfig:
        """Return the widths of a dual representation for a grid of its linear side alone."""
        return cls(**{**vars(dual), "representation": "mel"})


class SecondSeed(NoteSeed):
    """Plants cells at bins: as the bands around them, and as their place among the partials wants it."""

    def __init__(self, config: SecondGridConfig) -> None:
        super().__init__(replace(config, representation="dual", readout_hidden=config.hidden))
        self.at_bins = Between(*bins_among_bands(config.spec))
        self.bin_grid = nn.Linear(config.hidden, config.channels)
        self.bin_rates = nn.Linear(config.hidden, 4)
        for correction in (self.bin_grid, self.bin_rates):
            nn.init.zeros_(correction.weight)
            nn.init.zeros_(correction.bias)

    def forward(self, *notes: Tensor | None) -> dict[str, Tensor]:
        """Plant notes, told as `NoteSeed.forward` wants them: grid (B, N, C), cell (B, N, H) and rates (B, N, 4)."""
        planted = super().forward(*notes)
        genes = planted["bin"]
        return {
            "grid": self.at_bins(planted["grid"]) + self.bin_grid(genes),
            "cell": self.at_bins(planted["cell"]) + genes,
            "rates": self.at_bins(planted["rates"]) * torch.exp(self.bin_rates(genes).clamp(-RATE_SPAN, RATE_SPAN)),
        }


class SecondGrid(TNCA):
    """The automaton on linear bins: channels 0 and 1 are linear level and tonality."""

    def __init__(self, config: SecondGridConfig, num_timbres: int) -> None:
        super().__init__(config, num_timbres)
        self.seed = SecondSeed(config)
        self.at_bins = Between(*bins_among_bands(config.spec))

    def step(
        self,
        grid: Tensor,
        planted: dict[str, Tensor],
        age_s: Tensor,
        release_age_s: Tensor,
        fire_mask: Tensor,
        swell: Tensor,
    ) -> Tensor:
        """Grow one hop; swells (B, F) are those of the bands, as everywhere."""
        at_bins = self.at_bins(swell[..., None])[..., 0]
        return super().step(grid, planted, age_s, release_age_s, fire_mask, at_bins)

    def fields(self, grid: Tensor, planted: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return linear level and tonality, (B, 2, N)."""
        return {"linear": self.mel(grid)}


class SecondGridTrainer(PooledLoop[SamplePool]):
    """Trains a `SecondGrid` with the linear side of the dual representation's loss, and its losses of life."""

    def __init__(self, config: TrainConfig, notes: NoteSet, num_frames: int) -> None:
        torch.manual_seed(config.seed)
        self.size = SecondGridConfig.of(config.model)
        super().__init__(config, notes, SecondGrid(self.size, len(notes.timbre_names)))
        self.config: TrainConfig = config
        self.model: SecondGrid
        spec, self.num_frames = self.size.spec, num_frames
        overtime = Overtime.of(notes, ("mel", "linear"), spec)
        rng = np.random.default_rng(config.seed + 1)
        self.pool = SamplePool(notes, overtime, config.pool_size, self.size.cells, self.size.channels, spec, rng)

    def iterate(self) -> Losses:
        """One optimiser step on one window of growth."""
        chosen, window = self.pool.draw(self.config.batch_size), self.config.window_frames
        _, _, grids = grow_window(self, self.model, chosen, self.model.step)
        losses = self._losses(chosen, grids)
        self.pool.advance(chosen, grids[:, -1].detach(), window, self.config.overtime_share)
        return self.descend(losses)

    def _losses(self, chosen: NDArray[np.int64], grids: Tensor) -> dict[str, Tensor]:
        weights, window = self.config.loss, self.config.window_frames
        valid = self.pool.valid(chosen, window)
        read = np.sort(self.rng.choice(window, self.num_frames, replace=False))
        target = self.pool.targets(chosen, "linear", read)
        grown = grids[:, read, :, :2].transpose(2, 3)
        level, tonality = pair_loss(grown, target, valid[:, read], weights)
        alpha = alpha_loss(grids[..., ALPHA], self._alive(chosen), valid)
        total = weights.linear * (level + weights.tonality * tonality)
        total = total + weights.alpha * alpha + weights.overflow * overflow_loss(grids)
        losses = {"linear_db": level * self.size.spec.level_scale_db, "alpha": alpha}
        if weights.convergence > 0.0 and self.iteration >= weights.convergence_from:
            heard = convergence_loss(grown[:, :, 0], target[:, :, 0], valid[:, read], self.size.spec)
            total = total + weights.convergence * heard
        return losses | {"total": total}

    def _alive(self, chosen: NDArray[np.int64]) -> Tensor:
        """Return the alpha target (B, W, N): a bin lives as long as a band beside it."""
        mel = self.pool.targets(chosen, "mel", np.arange(self.config.window_frames))
        alive, low = self.pool.alive(chosen, mel), self.model.at_bins.low
        return torch.maximum(alive[..., low], alive[..., low + 1])

    def averaged_model(self) -> SecondGrid:
        """Return a model with the running average of the weights."""
        model = SecondGrid(self.size, len(self.notes.timbre_names))
        model.load_state_dict(self.average)
        return model.eval()


@dataclass(frozen=True)
class Outcome:
    """What came of one way to the linear side."""

    name: str
    iterations: int
    iteration_s: float
    training_s: float
    error_db: float
    errors_db: dict[str, float]
    parameters: int
    step_ms: float
    gmac_per_voice_second: float


def report(line: str) -> None:
    """Say how far it is, beside the table."""
    print(line, file=sys.stderr, flush=True)


def train(run: PooledLoop[Any]) -> NDArray[np.float64]:
    """Train to the end; return processor seconds of each iteration."""
    spent = np.zeros(run.config.iterations)
    recent: list[float] = []
    for i in range(len(spent)):
        began = process_time()
        recent.append(run.iterate()["linear_db"])
        run.iteration += 1
        spent[i] = process_time() - began
        if run.iteration % 100 == 0:
            report(
                f"  {run.iteration:5d}: {np.mean(recent):.2f} dB in training, {np.median(spent[: i + 1]):.2f} s each"
            )
            recent.clear()
    return spent


@torch.no_grad()
def growth_cost(model: GrowingModel, notes: NoteSet, index: NDArray[np.int64]) -> tuple[float, float]:
    """Return the median processor time of a hop of 8 voices, fields included, in ms, and GMAC per voice-second."""
    batch = NoteBatch.of(notes, np.resize(index, VOICES))
    planted = plant(model, batch)
    grid, spec = planted["grid"], model.config.spec
    age_s, held = torch.full((VOICES,), 0.2), torch.full((VOICES,), -1.0)
    fire = torch.ones(VOICES, model.config.steps_per_hop, grid.shape[1])
    swell = torch.zeros(VOICES, spec.num_mels)
    spent = []
    for _ in range(STEP_TURNS):
        began = process_time()
        grid = model.step(grid, planted, age_s, held, fire, swell)
        model.fields(grid, planted)
        spent.append(process_time() - began)
    with FlopCounterMode(display=False) as counter:
        model.fields(model.step(grid, planted, age_s, held, fire, swell), planted)
    return 1e3 * float(np.median(spent)), counter.get_total_flops() / 2e9 / VOICES / spec.hop_s


def measure(
    name: str, start: Callable[[TrainConfig, NoteSet], PooledLoop[Any]], config: TrainConfig, notes: NoteSet, count: int
) -> Outcome:
    """Train in one of the ways, and say what came of it on `count` held-out notes of each instrument."""
    report(f"{name}: {config.iterations} iterations of {config.batch_size} notes")
    run = start(config, notes)
    spent = train(run)
    model = run.averaged_model()
    assert isinstance(model, TNCA)
    index = validation_notes(notes, count, config.seed)
    errors = by_instrument(notes, index, field_errors_db(model, notes, index)["linear"])
    report(f"  held-out: {np.mean(list(errors.values())):.2f} dB")
    step_ms, gmac = growth_cost(model, notes, index)
    return Outcome(
        name=name,
        iterations=config.iterations,
        iteration_s=float(np.median(spent)),
        training_s=float(spent.sum()),
        error_db=float(np.mean(list(errors.values()))),
        errors_db=errors,
        parameters=sum(weights.numel() for weights in model.parameters()),
        step_ms=step_ms,
        gmac_per_voice_second=gmac,
    )


def lasting(config: TrainConfig, iterations: int) -> TrainConfig:
    """Return the configuration of a shorter or longer training, whose convergence joins after the same share of it."""
    joins = round(config.loss.convergence_from * iterations / config.iterations)
    return replace(config, iterations=iterations, loss=replace(config.loss, convergence_from=joins))


def compare(config: TrainConfig, notes: NoteSet, count: int, num_frames: int, time_share: float) -> list[Outcome]:
    """Train in all ways, one after another."""
    read_out = measure("read-out", Trainer, config, notes, count)
    second = measure("second grid", lambda c, n: SecondGridTrainer(c, n, num_frames), config, notes, count)
    if time_share <= 0.0:
        return [read_out, second]
    iterations = max(1, round(config.iterations * time_share * second.iteration_s / read_out.iteration_s))
    return [read_out, second, measure("read-out, longer", Trainer, lasting(config, iterations), notes, count)]


def print_table(outcomes: list[Outcome]) -> None:
    """Print a row for each figure, a column for each way."""
    rows: dict[str, list[str]] = {
        "iterations": [f"{one.iterations}" for one in outcomes],
        "s per iteration": [f"{one.iteration_s:.3f}" for one in outcomes],
        "s of training": [f"{one.training_s:.0f}" for one in outcomes],
        "parameters": [f"{one.parameters:,}" for one in outcomes],
        f"ms per hop of {VOICES} voices": [f"{one.step_ms:.2f}" for one in outcomes],
        "GMAC per voice-second": [f"{one.gmac_per_voice_second:.3f}" for one in outcomes],
        "held-out linear error, dB": [f"**{one.error_db:.2f}**" for one in outcomes],
    }
    for name in outcomes[0].errors_db:
        rows[f"- {name}"] = [f"{one.errors_db[name]:.2f}" for one in outcomes]
    print(f"| | {' | '.join(one.name for one in outcomes)} |\n|---|{'---|' * len(outcomes)}")
    for name, values in rows.items():
        print(f"| {name} | {' | '.join(values)} |")


def main() -> None:
    """Parse the arguments, train, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--iterations", type=int, default=1200)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--hidden", type=int, default=128, help="hidden units of the update rule")
    parser.add_argument("--instruments", nargs="+", default=INSTRUMENTS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--notes", type=int, default=6, help="held-out notes of each instrument")
    parser.add_argument("--frames", type=int, default=READ_FRAMES, help="of a window that the second grid fits")
    parser.add_argument(
        "--time-share", type=float, default=0.0, help="train the read-out for this share of its time, too"
    )
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    preset = lasting(load_preset("dual"), chosen.iterations)
    kept = tuple(one for one in preset.data.instruments if one.name in chosen.instruments)
    config = replace(
        preset,
        seed=chosen.seed,
        batch_size=chosen.batch,
        compile=False,  # compiling takes longer than it saves in so short a run
        data=replace(preset.data, instruments=kept),
        model=replace(preset.model, hidden=chosen.hidden),
    )
    notes = load_notes(config.data, config.model.spec, chosen.cache, chosen.threads)
    outcomes = compare(config, notes, chosen.notes, chosen.frames, chosen.time_share)
    if chosen.json:
        print(json.dumps([vars(one) for one in outcomes], indent=1))
    else:
        print_table(outcomes)


if __name__ == "__main__":
    main()
