"""What voices are grown from is kept by slot, and gathered anew whenever something was planted."""

from __future__ import annotations

import numpy as np

from tnca_synth.engine.growth.genomes import SlotState


def genome(*marks: float) -> dict[str, np.ndarray]:
    """Return genomes whose values are all the same number."""
    values = np.array(marks, np.float32)[:, None]
    return {"grid": values.repeat(3, 1)[..., None], "cell": values.repeat(2, 1)}


def test_genomes_are_kept_by_slot_side_by_side_or_scattered() -> None:
    genomes = SlotState(6)
    assert not genomes
    genomes.put(np.array([4, 1, 2]), genome(40, 10, 20))
    assert genomes
    assert genomes.of_slot(4)["cell"].tolist() == [40, 40]
    for slots in ([1, 2], [4, 1], [2, 4]):
        found = genomes.of(np.array(slots))
        assert found["cell"][:, 0].tolist() == [10 * slot for slot in slots]
        assert found["grid"].shape == (2, 3, 1)


def test_what_was_gathered_is_forgotten_when_something_is_planted() -> None:
    genomes, pair = SlotState(4), np.array([0, 2])
    genomes.put(np.arange(4), genome(0, 1, 2, 3))
    assert genomes.of(pair)["cell"] is genomes.of(pair)["cell"]
    genomes.put(np.array([2]), genome(7))
    assert genomes.of(pair)["cell"][:, 0].tolist() == [0, 7]


def test_grids_move_on_while_genes_stay() -> None:
    genomes, pair = SlotState(4), np.array([3, 1])
    genomes.put(np.arange(4), genome(0, 1, 2, 3))
    genomes.of(pair)
    genomes.put_grids(pair, genome(30, 10)["grid"])
    assert genomes.of(pair)["grid"][:, 0, 0].tolist() == [30, 10]
    assert genomes.of(pair)["cell"][:, 0].tolist() == [3, 1]
    assert genomes.of_slot(3)["grid"][0, 0] == 30
