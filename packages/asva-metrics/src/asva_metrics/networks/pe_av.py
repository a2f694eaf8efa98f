"""PE-AV of transformers: sound and picture of a clip in one space, and SyncReward, which stands on it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from asva_metrics.networks.sync_reward import SyncRewardHead
from asva_weights import ConversionError, KeyTable, read_checkpoint
from asva_weights.release import blame

RATE = 48000
PARTS = ("audio_encoder", "video_encoder", "audio_head", "video_head")
"""Of PE-AV that SyncReward was trained with."""
USED = ("audio_model.audio_", "video_model.video_", "audio_video_logit")


class PEAV(nn.Module):
    """`PeAudioVideoModel` with what prepares its input; needs ``transformers`` and ``timm``.

    Args:
        model: The model.
        video_processor: transformers' ``PeVideoVideoProcessor`` with the model's size, mean and deviation.
    """

    def __init__(self, model: Any, video_processor: Any) -> None:
        super().__init__()
        self.model, self.video_processor = model, video_processor

    @classmethod
    def from_pretrained(cls, path: str | os.PathLike[str], **options: Any) -> PEAV:
        """The model of a folder or hub id, such as ``facebook/pe-av-large``, in evaluation mode.

        Raises:
            ConversionError: If a weight is missing that the scores need: transformers would draw it.
        """
        from transformers import PeAudioVideoModel, PeVideoVideoProcessor

        loaded: Any = PeAudioVideoModel.from_pretrained(path, output_loading_info=True, **options)
        model, said = loaded
        if lacking := sorted(name for name in said["missing_keys"] if name.startswith(USED)):
            raise ConversionError(f"`path` must hold every weight of PE-AV, got {path} without {lacking[0]}.")
        return cls(model.eval(), PeVideoVideoProcessor.from_pretrained(path, **options))

    def embed_audio(self, waveform: Tensor) -> Tensor:
        """(b, s) sound at 48 kHz -> (b, d), not normalised."""
        tower = self.model.audio_model
        return tower.audio_head(tower.audio_encoder(input_values=padded_sound(waveform)).pooler_output)

    def embed_video(self, frames: np.ndarray) -> Tensor:
        """(t, h, w, 3) uint8 RGB of one clip -> (1, d), not normalised."""
        tower = self.model.video_model
        return tower.video_head(tower.video_encoder(pixel_values_videos=self.pixels([frames])).pooler_output)

    def pixels(self, videos: list[np.ndarray]) -> Tensor:
        """Clips of one length as the model sees them; models of 16 frames take these evenly from the clip."""
        wanted = self.video_processor.num_frames
        if wanted:
            videos = [one[[int(i * (len(one) - 1) / (wanted - 1)) for i in range(wanted)]] for one in videos]
        options = {"return_tensors": "pt", "do_sample_frames": False}
        tensors = [torch.from_numpy(np.ascontiguousarray(one)).permute(0, 3, 1, 2) for one in videos]
        return self.video_processor(tensors, **options)["pixel_values_videos"].to(self.model.device)

    def match(self, audio: Tensor, video: Tensor) -> Tensor:
        """(b, d) and (b, d) -> (b,) probability that they belong together, as the model was trained to say."""
        scale, bias = self.model.audio_video_logit_scale, self.model.audio_video_logit_bias
        return torch.sigmoid((audio * video).sum(dim=-1) * scale + bias)


class SyncReward(nn.Module):
    """PE-AV's towers on 18 windows of half a second, and the head that people's ratings trained.

    Args:
        towers: PE-AV.
        head: The head.
    """

    def __init__(self, towers: PEAV, head: SyncRewardHead) -> None:
        super().__init__()
        self.towers, self.head = towers, head

    @classmethod
    def from_pretrained(
        cls, path: str | os.PathLike[str], pe_av: str | os.PathLike[str] | None = None, **options: Any
    ) -> SyncReward:
        """The released second stage.

        Args:
            path: Its folder, with ``model.safetensors``, or that file.
            pe_av: Folder or hub id of the PE-AV whose ``config.json`` and ``video_preprocessor_config.json`` say how
                the towers are built (released: ``facebook/pe-av-large``); None if they lie in the folder too.
            options: Of the two files' readers, such as ``local_files_only``.

        Raises:
            ConversionError: If a weight is missing or unknown, or a shape is another.
        """
        from transformers import PeAudioVideoConfig, PeAudioVideoModel, PeVideoVideoProcessor

        file = Path(path) / "model.safetensors" if Path(path).is_dir() else Path(path)
        source = file.parent if pe_av is None else pe_av
        given = read_checkpoint(file)
        state = {name.replace("encoder.base_model.", "encoder."): value for name, value in given.items()}
        with blame(file, "checkpoint of SyncReward"):
            head = _head_of({name: value for name, value in state.items() if not name.startswith("encoder.")})
        # Large, so that it is built for a file that fits alone.
        model = PeAudioVideoModel(PeAudioVideoConfig.from_pretrained(source, **options)).eval()
        with blame(file, "checkpoint of SyncReward"):
            for part in PARTS:
                owner = getattr(model, f"{part.split('_')[0]}_model")
                own = {name: value for name, value in state.items() if name.startswith(f"encoder.{part}.")}
                _load(getattr(owner, part), {name.split(".", 2)[2]: value for name, value in own.items()}, part)
        return cls(PEAV(model, PeVideoVideoProcessor.from_pretrained(source, **options)), head).eval()

    def embed_audio(self, windows: Tensor) -> Tensor:
        """(n, s) windows of sound at 48 kHz -> (n, d) of unit length."""
        tower = self.towers.model.audio_model
        hidden = tower.audio_encoder(input_values=padded_sound(windows)).last_hidden_state
        return F.normalize(tower.audio_head(hidden.mean(dim=1)), dim=-1)

    def embed_video(self, windows: list[np.ndarray]) -> Tensor:
        """n windows (t, h, w, 3) uint8 RGB -> (n, d) of unit length."""
        tower = self.towers.model.video_model
        hidden = tower.video_encoder(pixel_values_videos=self.towers.pixels(windows)).last_hidden_state
        return F.normalize(tower.video_head(hidden.mean(dim=1)), dim=-1)


def padded_sound(waveform: Tensor, hop: int = 1920) -> Tensor:
    """(b, s) -> (b, 1, s') mirrored at the end to whole tokens."""
    return F.pad(waveform[:, None], (0, -waveform.shape[-1] % hop), mode="reflect")


def _load(module: nn.Module, state: dict[str, Tensor], what: str) -> None:
    module.load_state_dict(KeyTable().to_ours(state, module.state_dict(), f"`{what}`"))


def _head_of(state: dict[str, Tensor]) -> SyncRewardHead:
    if not {"pos_embed", "audio_proj.weight"} <= state.keys():
        raise ConversionError("`state_dict` must hold SyncReward's head, pos_embed and audio_proj are missing.")
    depth = 1 + max((int(name.split(".")[2]) for name in state if name.startswith("interaction.layers.")), default=0)
    (width, dim), length = state["audio_proj.weight"].shape, state["pos_embed"].shape[1]
    head = SyncRewardHead(dim, length // 2 - 1, width, depth)
    _load(head, state, "head")
    return head.eval()
