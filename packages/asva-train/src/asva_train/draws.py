"""Random draws that depend on the place in the run alone, so that a resumed run draws the same."""

from collections.abc import Generator
from contextlib import contextmanager

import numpy as np
import torch


def generator_at(*place: int) -> torch.Generator:
    """CPU generator for a place in a run, such as ``(seed, step, micro step, process)``."""
    return torch.Generator().manual_seed(int(np.random.SeedSequence(place).generate_state(1, np.uint64)[0] >> 1))


@contextmanager
def layer_draws(*place: int) -> Generator[None]:
    """Inside, layers that draw by themselves (dropout, drop path) follow ``place``; outside nothing is changed."""
    with torch.random.fork_rng():
        torch.manual_seed(generator_at(*place).initial_seed())
        yield
