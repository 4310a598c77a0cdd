"""The lobes of partials as exported graphs compute them: a polynomial, where torch has sines and divisions."""

from __future__ import annotations

import numpy as np
from numpy.polynomial import Polynomial
from torch import Tensor
from torch.nn import functional as F

LOBE_BINS = 2.0  # half the width of a partial's lobe
LOBE_DEGREE = 5


def lobe_polynomial() -> list[float]:
    """Return what makes a lobe of `training.spectral.partials.comb_features`, without sines or divisions by zero.

    At a distance of x bins the lobe is ``sinc(x) / (1 - x^2)``, which is even and zero at two bins. So it is v times
    a polynomial in ``v = 4 - x^2``, here interpolated to 2e-6, of a lobe whose height is 1; lowest power first.
    """
    v = 0.5 * LOBE_BINS**2 * (1.0 - np.cos(np.pi * (np.arange(LOBE_DEGREE + 1) + 0.5) / (LOBE_DEGREE + 1)))
    x = np.sqrt(LOBE_BINS**2 - v)
    powers = Polynomial.fit(v, np.sinc(x) / (1.0 - x * x) / v, LOBE_DEGREE).convert()
    return [float(power) for power in powers.coef]


_POWERS = lobe_polynomial()


def lobes(distance2: Tensor) -> Tensor:
    """Return the amplitude of lobes at squared distances in bins, of any shape."""
    v = F.relu(LOBE_BINS**2 - distance2)
    lobe = _POWERS[-1] * v + _POWERS[-2]
    for power in _POWERS[-3::-1]:
        lobe = lobe * v + power
    return lobe * v
