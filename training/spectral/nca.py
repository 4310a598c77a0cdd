"""The conditional textured NCA: a note seed planted on a column of cells that grows one spectral frame per hop.

Letters: B notes, F cells (mel bands), N linear bins, C channels, H hidden units, G genes.
Channel map: 0-1 mel level and tonality, 2-3 linear level and tonality (hidden in the mel model), 4 alpha, 5.. hidden.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from ...engine.spectra.stft import bins_among_bands, hz_to_mel, mel_edges_hz, mel_filterbank
from ..config.models import ALPHA, LINEAR_LEVEL, LINEAR_TONALITY, MEL_LEVEL, MEL_TONALITY, NCAConfig
from .partials import PITCH_PERIODS, comb_features, interpolate, note_features, partial_number

ALIVE_ABOVE = 0.1
CLOCK_TIMES_S = (0.015, 0.06, 0.25, 1.0, 4.0)
RELEASE_CLOCK_TIMES_S = (0.03, 0.15, 0.6)
NUM_KEYS = 128
PLACE_1_HZ, PLACE_BANDS = 11025.0, 80
"""What place 1 of bins and bands means in hertz, in every spec: models of one band can go on in another."""
SWELL_UNIT = 0.1  # level of a swell that the hidden units see as 1: 4 dB
PITCH_AXIS = (-1.0, 8.0, 8)  # octaves relative to f0: from, to, points per octave
PARTIAL_AXIS = (48, 2)  # partials, points per partial


def timbre_vectors(
    timbres: nn.Embedding, keys: nn.Embedding, timbre: Tensor, low: Tensor, high: Tensor, mix: Tensor
) -> Tensor:
    """Return timbre vectors (B, timbre_size + key_size) from their tables; see `TNCA.timbre`."""
    rows = timbre * NUM_KEYS
    code = torch.lerp(keys(rows + low), keys(rows + high), mix[:, None])
    return torch.cat([timbres(timbre), code], 1)


def places_of_bands(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return where bands with some centres lie: 0 in the lowest of 80 bands up to `PLACE_1_HZ`, 1 in the highest."""
    share = hz_to_mel(hz) / float(hz_to_mel(PLACE_1_HZ))
    return (share * (PLACE_BANDS + 1) - 1.0) / (PLACE_BANDS - 1)


class NoteSeed(nn.Module):
    """From MIDI to the static side of a note: the initial grid and the genes every cell reads while it lives."""

    bins_hz: Tensor
    mels_hz: Tensor
    bandwidth_hz: Tensor
    filterbank: Tensor
    band_place: Tensor
    bin_place: Tensor
    read_bins: Tensor

    def __init__(self, config: NCAConfig) -> None:
        super().__init__()
        self.config = config
        spec = config.spec
        inputs = 2 + 2 * len(PITCH_PERIODS) + 3 + config.timbre_size + config.key_size
        self.trunk = nn.Sequential(
            nn.Linear(inputs, config.seed_hidden),
            nn.SiLU(),
            nn.Linear(config.seed_hidden, config.seed_hidden),
            nn.SiLU(),
        )
        self.pitch_points = int((PITCH_AXIS[1] - PITCH_AXIS[0]) * PITCH_AXIS[2]) + 1
        self.partial_points = PARTIAL_AXIS[0] * PARTIAL_AXIS[1] + 1
        self.band_head = nn.Linear(config.seed_hidden, config.band_genes * spec.num_mels)
        self.pitch_head = nn.Linear(config.seed_hidden, config.pitch_genes * self.pitch_points)
        cell_inputs = config.band_genes + config.pitch_genes + 3 + 3
        self.to_hidden = nn.Linear(cell_inputs, config.hidden)
        self.to_rates = nn.Linear(cell_inputs, 4)
        self.to_grid = nn.Linear(cell_inputs, config.channels)
        if config.reads_out:
            self.partial_head = nn.Linear(config.seed_hidden, config.partial_genes * self.partial_points)
            self.to_readout = nn.Linear(config.partial_genes + 3 + 2, config.readout_hidden)
        bins_hz = np.arange(spec.num_bins) * spec.sample_rate / spec.n_fft
        mels_hz = mel_edges_hz(spec)[1:-1]
        bandwidth = np.diff(mel_edges_hz(spec))[:-1]
        self.register_buffer("bins_hz", torch.tensor(bins_hz, dtype=torch.float32), persistent=False)
        self.register_buffer("mels_hz", torch.tensor(mels_hz, dtype=torch.float32), persistent=False)
        self.register_buffer("bandwidth_hz", torch.tensor(bandwidth, dtype=torch.float32), persistent=False)
        self.register_buffer("filterbank", torch.tensor(mel_filterbank(spec)), persistent=False)
        band = torch.tensor(places_of_bands(mels_hz), dtype=torch.float32)
        self.register_buffer(
            "band_place", torch.stack([band, torch.sin(np.pi * band), torch.cos(np.pi * band)], 1), persistent=False
        )
        place = torch.tensor(bins_hz / PLACE_1_HZ, dtype=torch.float32)
        self.register_buffer("bin_place", torch.stack([place, place.sqrt()], 1), persistent=False)
        self.register_buffer("read_bins", torch.arange(spec.num_bins), persistent=False)

    def forward(
        self,
        pitch: Tensor,
        velocity: Tensor,
        timbre: Tensor,
        pitched: Tensor,
        stretch: Tensor,
        jitter: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Plant notes.

        Parameters
        ----------
        pitch, velocity, pitched, stretch : (B,)
            Real-valued MIDI pitch, velocity 0..1, 1 or 0, and inharmonicity B.
        timbre : (B, timbre_size + key_size), see `TNCA.timbre`
        jitter : (B, 2), optional
            In training, what is added to pitch and velocity where they choose the timbre, but not where they place
            partials: it keeps the timbre from following single keys, so that keys never heard sound like their
            neighbours.

        Returns
        -------
        grid (B, F, C), cell (B, F, H) and rates (B, F, 4); dual also bin (B, N, readout_hidden) of `read_bins`.
        """
        spec, config = self.config.spec, self.config
        shown = (pitch, velocity) if jitter is None else (pitch + jitter[:, 0], velocity + jitter[:, 1])
        z = self.trunk(torch.cat([note_features(*shown, pitched), timbre], 1))
        # In double precision: genes are steep over partials, and torch and ONNX Runtime must read the same ones.
        f0 = 440.0 * torch.exp2((pitch.double() - 69.0) / 12.0)
        comb = comb_features(self.bins_hz.double(), f0, stretch.double()).to(pitch.dtype) * pitched[:, None, None]
        band = self.band_head(z).view(-1, spec.num_mels, config.band_genes)
        octave = torch.log2((self.mels_hz / f0[:, None]).clamp_min(0.25)).to(pitch.dtype)
        relative = self.pitch_head(z).view(-1, self.pitch_points, config.pitch_genes)
        relative = interpolate(relative, (octave - PITCH_AXIS[0]) * PITCH_AXIS[2]) * pitched[:, None, None]
        lobes = (
            torch.log10(10.0 ** (4.0 * (comb[..., :1] - 1.0)).transpose(1, 2) @ self.filterbank.T + 1e-4) / 4.0 + 1.0
        )
        spacing = torch.log2((f0[:, None] / self.bandwidth_hz).clamp(0.06, 16.0)).to(pitch.dtype) / 4.0
        shape = torch.stack([lobes[:, 0], octave / 8.0, spacing], 2) * pitched[:, None, None]
        cell = torch.cat([band, relative, shape, self.band_place + 0.0 * band[..., :1]], 2)
        grid = self.to_grid(cell)
        alpha = torch.sigmoid(grid[..., ALPHA : ALPHA + 1] + 2.0)
        planted = {
            "grid": torch.cat([grid[..., :ALPHA], alpha, grid[..., ALPHA + 1 :]], 2),
            "cell": self.to_hidden(cell),
            "rates": torch.exp(self.to_rates(cell).clamp(-4.0, 5.0)),
        }
        return planted | self.read_out_genes(z, f0, stretch, pitched, comb) if config.reads_out else planted

    def read_out_genes(
        self, z: Tensor, f0: Tensor, stretch: Tensor, pitched: Tensor, comb: Tensor
    ) -> dict[str, Tensor]:
        """Return the genes of what is read out between the cells: here, of bins.

        Parameters
        ----------
        z : (B, seed_hidden), what the trunk made of the notes
        f0 : float64 (B,), in Hz
        stretch, pitched : (B,)
        comb : (B, N, 3), see `comb_features`
        """
        hz, place, comb = self.bins_hz[self.read_bins], self.bin_place[self.read_bins], comb[:, self.read_bins]
        number = partial_number(hz.double(), f0, stretch.double()).to(comb.dtype)
        genes = self.partial_head(z).view(-1, self.partial_points, self.config.partial_genes)
        genes = interpolate(genes, number * PARTIAL_AXIS[1]) * pitched[:, None, None]
        return {"bin": self.to_readout(torch.cat([genes, comb, place + 0.0 * comb[..., :1]], 2))}


class TNCA(nn.Module):
    """A causal, non-circular column NCA with a life mask, a fire rate and gated updates."""

    clock_rates: Tensor
    release_rates: Tensor
    swelling: Tensor
    bin_low: Tensor
    bin_mix: Tensor

    def __init__(self, config: NCAConfig, num_timbres: int) -> None:
        super().__init__()
        self.config = config
        spec = config.spec
        self.timbres = nn.Embedding(num_timbres, config.timbre_size)
        nn.init.normal_(self.timbres.weight, std=0.5)
        self.keys = nn.Embedding(num_timbres * NUM_KEYS, config.key_size)
        nn.init.zeros_(self.keys.weight)
        self.seed = NoteSeed(config)
        self.perceive = nn.Linear(3 * config.channels, config.hidden, bias=False)
        self.clocks = nn.Linear(len(CLOCK_TIMES_S) + len(RELEASE_CLOCK_TIMES_S) + 1, config.hidden)
        self.envelopes = nn.Linear(4, config.hidden, bias=False)
        self.swells = nn.Linear(1, config.hidden, bias=False)
        nn.init.normal_(self.swells.weight, std=0.05)
        self.update = nn.Linear(config.hidden, 2 * config.channels)
        nn.init.zeros_(self.update.weight)
        with torch.no_grad():
            self.update.bias.zero_()
            self.update.bias[ALPHA] = 0.5
            self.update.bias[config.channels :] = 1.0
        self.register_buffer("clock_rates", 1.0 / torch.tensor(CLOCK_TIMES_S), persistent=False)
        self.register_buffer("release_rates", 1.0 / torch.tensor(RELEASE_CLOCK_TIMES_S), persistent=False)
        swelling = torch.zeros(config.channels)
        swelling[[MEL_LEVEL, LINEAR_LEVEL] if config.reads_out else [MEL_LEVEL]] = 1.0
        self.register_buffer("swelling", swelling, persistent=False)
        if config.reads_out:
            self.read_state = nn.Linear(config.channels, config.readout_hidden, bias=False)
            self.read_out = nn.Linear(config.readout_hidden, 2)
            nn.init.zeros_(self.read_out.weight)
            nn.init.zeros_(self.read_out.bias)
            low, share = bins_among_bands(spec)
            self.register_buffer("bin_low", torch.tensor(low), persistent=False)
            self.register_buffer("bin_mix", torch.tensor(share)[:, None], persistent=False)

    def timbre(self, timbre: Tensor, low: Tensor, high: Tensor, mix: Tensor) -> Tensor:
        """Return timbre vectors (B, timbre_size + key_size): the instrument's, and its colour on a key.

        Recorded sounds change from key to key in leaps (another string, another take). Each recorded key has a code
        of its own, for which the smooth function of pitch behind it would be too smooth; keys between recorded ones
        lie between their codes.

        Parameters
        ----------
        timbre : int64 (B,), row of the instrument
        low, high : int64 (B,), recorded keys below and above, equal on a recorded key
        mix : (B,), 0 at `low`, 1 at `high`
        """
        return timbre_vectors(self.timbres, self.keys, timbre, low, high, mix)

    def step(
        self,
        grid: Tensor,
        planted: dict[str, Tensor],
        age_s: Tensor,
        release_age_s: Tensor,
        fire_mask: Tensor,
        swell: Tensor,
    ) -> Tensor:
        """Grow one hop: `steps_per_hop` updates of every cell that fires.

        Parameters
        ----------
        grid : (B, F, C)
        planted : what `NoteSeed` returned
        age_s, release_age_s : (B,)
            Seconds since onset and since release, the latter -1 while held.
        fire_mask : (B, steps_per_hop, F), 1 where a cell updates
        swell : (B, F), how far levels should be off their smooth course; see `engine.keys.motions`

        Returns
        -------
        The grid one hop later, (B, F, C).
        """
        released = (release_age_s >= 0.0).to(grid.dtype)
        since = release_age_s.clamp_min(0.0)
        clocks = torch.cat(
            [
                torch.exp(-age_s[:, None] * self.clock_rates),
                torch.exp(-since[:, None] * self.release_rates),
                released[:, None],
            ],
            1,
        )
        rates = planted["rates"]
        decays = torch.cat(
            [torch.exp(-age_s[:, None, None] * rates[..., :2]), torch.exp(-since[:, None, None] * rates[..., 2:])], 2
        )
        drive = planted["cell"] + self.clocks(clocks)[:, None]
        weights = torch.cat([self.perceive.weight, self.envelopes.weight, self.swells.weight], 1)
        for k in range(self.config.steps_per_hop):
            padded = F.pad(grid, (0, 0, 1, 1))
            inputs = torch.cat([padded[:, :-2], grid, padded[:, 2:], decays, swell[..., None] / SWELL_UNIT], 2)
            out = self.update(F.relu(F.linear(inputs, weights) + drive))
            target, gate = out.split(self.config.channels, 2)
            target = target + swell[..., None] * self.swelling
            grown = grid + fire_mask[:, k, :, None] * torch.sigmoid(gate) * (target - grid)
            grid = grown * (self.alive(grid) * self.alive(grown))
        return grid

    @staticmethod
    def alive(grid: Tensor) -> Tensor:
        """Return 1 where a cell or a neighbour of it has alpha above the threshold, (B, F, 1)."""
        alpha = grid[..., ALPHA : ALPHA + 1].detach().transpose(1, 2)
        return (F.max_pool1d(alpha, 3, 1, 1) > ALIVE_ABOVE).to(grid.dtype).transpose(1, 2)

    def read_at(self, bins: Tensor) -> None:
        """Plant and read out some bins, int64 (N,), instead of all: the read-out is a function of frequency."""
        kept = self.seed.read_bins
        if kept.shape == bins.shape:
            kept.copy_(bins)
        else:
            self.seed.read_bins = bins.to(kept.device).clone()

    def fields(self, grid: Tensor, planted: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return what a grid offers decoders by name, each (B, 2, bands or bins): level and tonality."""
        mel = {"mel": self.mel(grid)}
        return mel | {"linear": self.linear(grid, planted)} if "bin" in planted else mel

    def mel(self, grid: Tensor) -> Tensor:
        """Return mel level and tonality, (B, 2, F)."""
        return grid[..., : MEL_TONALITY + 1].transpose(1, 2)

    def linear(self, grid: Tensor, planted: dict[str, Tensor]) -> Tensor:
        """Read linear level and tonality out of a dual grid, (B, 2, N), at the bins that were planted."""
        below, mix = self.bin_low[self.seed.read_bins], self.bin_mix[self.seed.read_bins]
        low = grid.index_select(1, below)
        here = low + mix * (grid.index_select(1, below + 1) - low)
        correction = self.read_out(F.relu(self.read_state(here) + planted["bin"]))
        return (here[..., LINEAR_LEVEL : LINEAR_TONALITY + 1] + correction).transpose(1, 2)
