"""MTV's words: the structured template, and its tokens (MTV, section 4.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

_COUNTS = ("No", "One", "Two")
_PATTERN = re.compile(
    r"(?:No conversation\.|(?P<count>One|Two) person conversation\. Persons: (?P<persons>.+?) "
    r"Person(?P<active>\d+) is speaking\.) Scene Description: (?P<scene>.+)",
    re.DOTALL,
)
_ENTRY = re.compile(r"Person(\d+): ")


@dataclass(frozen=True)
class MTVPrompt:
    """A prompt in MTV's template: how many speak, who they are, who speaks now, and the scene.

    Attributes:
        scene: What is seen.
        persons: Looks of each person, one or two; empty where nobody speaks.
        speaking: Number of the person who speaks, from 1; 0 where nobody does.

    Raises:
        ValueError: If the parts do not fit one another.

    >>> print(MTVPrompt("a kitchen.", persons=("a man in red.",), speaking=1).format())
    One person conversation. Persons: Person1: a man in red. Person1 is speaking. Scene Description: a kitchen.
    """

    scene: str
    persons: tuple[str, ...] = ()
    speaking: int = 0

    def __post_init__(self) -> None:
        if len(self.persons) > 2:
            raise ValueError(f"`persons` must be at most 2, got {len(self.persons)}.")
        if not self.scene.strip() or not all(person.strip() for person in self.persons):
            raise ValueError("`scene` and each of `persons` must hold words, got an empty text.")
        low, high = (1, len(self.persons)) if self.persons else (0, 0)
        if not low <= self.speaking <= high:
            raise ValueError(f"`speaking` must be from {low} to {high} with these persons, got {self.speaking}.")
        if any("Scene Description:" in text or _ENTRY.search(text) for text in (self.scene, *self.persons)):
            raise ValueError("`scene` and `persons` must not hold words of the template, such as 'Person1: '.")

    def format(self) -> str:
        """The prompt as one text."""
        scene = f"Scene Description: {self.scene}"
        if not self.persons:
            return f"No conversation. {scene}"
        looks = " ".join(f"Person{number}: {look}" for number, look in enumerate(self.persons, start=1))
        return (
            f"{_COUNTS[len(self.persons)]} person conversation. Persons: {looks} Person{self.speaking} is speaking. "
            f"{scene}"
        )

    @classmethod
    def parse(cls, text: str) -> MTVPrompt:
        """The inverse of ``format``.

        Raises:
            ValueError: If the text does not follow the template.
        """
        match = _PATTERN.fullmatch(text.strip())
        if match is None:
            raise ValueError(
                "`prompt` must follow the template '<One|Two> person conversation. Persons: Person1: ... "
                "Person1 is speaking. Scene Description: ...' or 'No conversation. Scene Description: ...', "
                f"got {text[:80]!r}. `MTVPrompt(...).format()` writes it."
            )
        if match["count"] is None:
            return cls(match["scene"])
        pieces = _ENTRY.split(match["persons"])  # "", "1", looks, "2", looks
        numbers, looks = pieces[1::2], tuple(piece.strip() for piece in pieces[2::2])
        wanted = [str(number) for number in range(1, _COUNTS.index(match["count"]) + 1)]
        if pieces[0].strip() or numbers != wanted:
            raise ValueError(f"`prompt` must describe Person{' and Person'.join(wanted)} in order, got {text[:80]!r}.")
        return cls(match["scene"], looks, int(match["active"]))


def prompt_embeds(tokenizer: Any, encoder: Any, prompts: list[str], length: int, device: Any = None) -> Tensor:
    """Text tokens (b, length, d), padded or cut to the length that the transformer takes; T5's or CLIP's.

    An offloaded encoder lies elsewhere than on the `device` where it runs; without it the encoder's own is taken.
    """
    limit = getattr(encoder.config, "max_position_embeddings", None)
    ids = tokenizer(
        prompts, padding="max_length", max_length=min(length, limit or length), truncation=True, return_tensors="pt"
    ).input_ids
    embeds = encoder(ids.to(device or encoder.device))[0]
    missing = length - embeds.shape[1]
    return torch.nn.functional.pad(embeds, (0, 0, 0, missing)) if missing > 0 else embeds
