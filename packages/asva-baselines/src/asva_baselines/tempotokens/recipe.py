"""Recipe of TempoTokens' mapper (TempoTokens, section 4)."""

from dataclasses import field
from typing import Literal

from asva_data.settings import strict
from asva_train.fields import DataRecipe, LoopRecipe


@strict
class TempoTokensRecipe:
    """What moves the mapper, and on which model.

    Attributes:
        base: Model of the method `tempotokens`, by folder or name; all but its mapper stays as it is.
        start: ``"random"`` weights of the mapper, or those of the ``"base"``.
        word_weight: Of the mean size of a frame's own word in the loss.
        reference_dropout: Whether half of what the clip's word is weighed by is dropped, as the original does.
    """

    task: Literal["tempotokens"]
    data: DataRecipe = field(default_factory=DataRecipe)
    loop: LoopRecipe
    base: str = "tempotokens"
    start: Literal["random", "base"] = "random"
    word_weight: float = 0.01
    reference_dropout: bool = True
