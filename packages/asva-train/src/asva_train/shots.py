"""K clips of each class, drawn once and repeated (open-domain, section 4: few-shot finetuning)."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import torch

from asva_train.draws import generator_at


def choose_shots(candidates: Iterable[tuple[int, str]], classes: Sequence[str], shots: int) -> list[int]:
    """The first ``shots`` candidates of each class, class by class.

    Args:
        candidates: (index, class) of clips in drawn order.
        classes: Names of the classes.
        shots: Clips of each class, K.

    Raises:
        ValueError: If ``shots`` is 0, or larger than the number of clips of a class.

    >>> choose_shots([(7, "frog"), (2, "bell"), (5, "frog")], ["bell", "frog"], 1)
    [2, 7]
    """
    if shots < 1:
        raise ValueError(
            "`data.shots` must be at least 1 to train, got 0: that is the model as it is, put it together."
        )
    kept: dict[str, list[int]] = {name: [] for name in classes}
    missing = len(kept) * shots
    for index, name in candidates:
        if len(kept[name]) < shots:
            kept[name].append(index)
            missing -= 1
        if not missing:
            return [index for found in kept.values() for index in found]
    fewest = min(kept, key=lambda name: len(kept[name]))
    raise ValueError(
        f"`data.shots` must be at most the number of clips of each class, got {shots} where '{fewest}' has "
        f"{len(kept[fewest])}. Take fewer, or add clips."
    )


def draw_shots(
    class_at: Callable[[int], str], num_clips: int, classes: Sequence[str], shots: int, seed: int
) -> list[int]:
    """Indices of ``shots`` clips of each class out of a finite set, in rising order; see :func:`choose_shots`."""
    order = torch.randperm(num_clips, generator=generator_at(seed, 5)).tolist()
    return sorted(choose_shots(((index, class_at(index)) for index in order), classes, shots))


def endless_draws(seed: int, class_of: Callable[[int], str]) -> Iterator[tuple[int, str]]:
    """(index, class) of clips drawn from a world without end."""
    draws = np.random.default_rng([seed, 5])
    while True:
        index = int(draws.integers(2**31))
        yield index, class_of(index)


def epoch_place(index: int, num_clips: int, seed: int) -> tuple[int, int]:
    """Which clip comes at ``index`` of a run where every epoch visits each once, in an order of its own."""
    epoch, place = divmod(index, num_clips)
    return epoch, int(torch.randperm(num_clips, generator=generator_at(seed, epoch))[place])
