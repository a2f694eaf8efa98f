"""Training of audio windows on DynamiCrafter (open-domain, section 4)."""

from pathlib import Path
from typing import Any

from asva_train.components import build_component
from asva_train.diffusion_task import DenoisingTask
from asva_train.draws import generator_at
from asva_train.errors import RunError
from asva_train.task_recipes import AudioWindowRecipe
from asva_train.token_sets import check_taps
from asva_unet import with_audio_window
from asva_unet.losses import AudioWindowLoss


class AudioWindowTask(DenoisingTask):
    """Trains the taps and a DynamiCrafter network, or of it what the recipe lets learn."""

    recipe: AudioWindowRecipe
    loss = AudioWindowLoss
    unet_name = "audio_window_unet"

    @property
    def conditioners(self) -> tuple[str, ...]:
        return ("text_encoder", "image_encoder", "image_projector", *sorted(self.recipe.taps))

    def learning(self) -> tuple[str, ...]:
        return (*super().learning(), *(() if "taps" in self.recipe.train else ("taps",)))

    def parts(self) -> dict[str, Any]:
        parts = super().parts()
        return parts | {"taps": self._taps(parts)}

    def loss_options(self, parts: dict[str, Any]) -> dict[str, Any]:
        data = self.recipe.data
        return {"num_frames": data.num_frames, "fps": data.fps, "radius": self.recipe.radius}

    def read(self, name: str, folder: Path) -> Any:
        """A component out of its folder; a DynamiCrafter without windows is given some."""
        part = super().read(name, folder)
        if name != self.unet_name or part.config.audio_window_attention:
            return part
        seed = generator_at(self.recipe.loop.seed, 6)
        return with_audio_window(part, audio_window_dim=part.config.cross_attention_dim, generator=seed)

    def _taps(self, parts: dict[str, Any]) -> Any:
        """Projections of the layers that the recipe names, as they are or at random."""
        wanted: dict[str, list[int]] = {name: list(layers) for name, layers in sorted(self.recipe.taps.items())}
        check_taps(wanted, parts)
        folder = self._taps_folder()
        if folder is None:
            return self._new_taps(wanted, parts)
        taps = self.read("taps", folder)
        if taps.layers != wanted:
            raise RunError(f"`taps` must be those of {folder}, {taps.layers}, got {wanted}.")
        return taps

    def _taps_folder(self) -> Path | None:
        """Where taps lie that belong to the network which this training starts from."""
        if "taps" in self.recipe.init:
            return self.recipe.init["taps"]
        goes_on = self.base is not None and self.unet_name not in {**self.recipe.models, **self.recipe.init}
        return self.base / "taps" if goes_on and (self.base / "taps").is_dir() else None

    def _new_taps(self, layers: dict[str, list[int]], parts: dict[str, Any]) -> Any:
        sources = {name: {"width": parts[name].config.hidden_size, "layers": layers[name]} for name in layers}
        config = {"sources": sources, "output_dim": parts[self.unet_name].config.audio_window_dim}
        return build_component("taps", config | {"normalize": self.recipe.normalize_taps}, self.recipe.loop.seed)
