"""The training `tempotokens`: the mapper alone, on a text-to-video model that stands still."""

from pathlib import Path

from asva_train.training import AddedTraining

TRAINING = AddedTraining(
    name="tempotokens",
    summary="TempoTokens' mapper: what BEATs hears, as words of a text-to-video model that stays as it is.",
    recipe="asva_baselines.tempotokens.recipe:TempoTokensRecipe",
    task="asva_baselines.tempotokens.task:TempoTokensTask",
    default=Path(__file__).with_name("tempotokens.yaml"),
)
