"""Training by several processes: each grows its share of a batch, and all take the same step.

Every process draws the same chances for the whole batch, grows its share of the notes, and gets what the others have
grown. Losses are then computed by all of them alike, on the whole batch: whatever a loss divides by, it divides by the
same. So a step is the same for any number of processes, but for rounding, and a run can go on with another number.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import torch
import torch.distributed as dist
from torch import Tensor

PATIENCE: Final = timedelta(hours=6)
"""So long the others wait while the first one validates or renders notes."""


@dataclass(frozen=True)
class Team:
    """The processes that train together.

    Attributes
    ----------
    rank, size : which one this is, from 0, of how many
    """

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process reports, validates and writes."""
        return self.rank == 0

    def share(self, count: int) -> slice:
        """Return the part of a batch of `count` that is this process's."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def gathered(self, part: Tensor, count: int) -> Tensor:
        """Return the whole of a batch, (count, ...), of which this process has its share."""
        if self.size == 1:
            return part
        gathered: Tensor = _Gathered.apply(part, self, count)
        return gathered

    def divided(self, function: Callable[..., Tensor], *batch: Any) -> Tensor:
        """Return what a function makes of a batch, each process its share: of tensors, or dictionaries of them."""
        if self.size == 1:
            return function(*batch)
        first = next(iter(batch[0].values())) if isinstance(batch[0], dict) else batch[0]
        own = self.share(len(first))
        return self.gathered(function(*(_rows(one, own) for one in batch)), len(first))

    def backward(self, loss: Tensor, parameters: Iterable[Tensor]) -> None:
        """Leave the gradient of a loss that all processes have computed in the parameters of each."""
        (loss / self.size).backward()
        if self.size == 1:
            return
        gradients = [one.grad for one in parameters if one.grad is not None]
        together = torch.cat([one.flatten() for one in gradients])
        dist.all_reduce(together)
        for one, total in zip(gradients, together.split([one.numel() for one in gradients]), strict=True):
            one.copy_(total.view_as(one))

    def first_says(self, decision: bool) -> bool:
        """Return what the first process has decided."""
        said = [decision]
        if self.size > 1:
            dist.broadcast_object_list(said)
        return said[0]

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.size > 1:
            dist.barrier()

    def after_first(self, work: Callable[[], Any]) -> Any:
        """Do what leaves something for the others, such as files in a cache: the first process before all others."""
        if self.is_first:
            result = work()
            self.wait()
            return result
        self.wait()
        return work()


ALONE: Final = Team()


def _rows(batch: Any, own: slice) -> Any:
    return {name: one[own] for name, one in batch.items()} if isinstance(batch, dict) else batch[own]


class _Gathered(torch.autograd.Function):
    """Gathers shares of a batch; each process is given back what all of them ask of its share.

    What they ask adds up to the gradient, because `Team.backward` gives each of them its part of the loss.
    """

    @staticmethod
    def forward(context: Any, part: Tensor, team: Team, count: int) -> Tensor:
        context.team, context.count = team, count
        whole = part.new_zeros(count, *part.shape[1:])
        whole[team.share(count)] = part
        dist.all_reduce(whole)
        return whole

    @staticmethod
    def backward(context: Any, *gradients: Any) -> Any:
        together = gradients[0].contiguous()
        dist.all_reduce(together)
        return together[context.team.share(context.count)], None, None


@contextmanager
def joined(place: str) -> Iterator[Team]:
    """Give the team that `torchrun` has started this process for; outside of it, a team of one.

    Parameters
    ----------
    place : "cpu", where tensors travel by gloo, or "cuda", by NCCL, each process on a GPU of its own
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield ALONE
        return
    if place == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    dist.init_process_group("nccl" if place == "cuda" else "gloo", timeout=PATIENCE)
    try:
        team = Team(dist.get_rank(), size)
        yield team
        # Who left at once could exit while a thread of gloo's still gives back a tensor of the last step: that thread
        # then asks the interpreter, which is ending, and the process aborts. So all stay until the slowest is done.
        team.wait()
    finally:
        dist.destroy_process_group()
