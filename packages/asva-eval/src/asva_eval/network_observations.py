"""What networks find in a clip: features that scores of sets and of synchronization are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from asva_eval.cutting import NETWORK_RATE, Cut
from asva_eval.observations import Observation, Observed, sound_of
from asva_eval.weights import Networks

if TYPE_CHECKING:
    import torch

WINDOW = 32000
"""Samples at 16 kHz that ImageBind takes at once."""
SHIFTS = 8
"""Circular shifts of the sound that the classifier is given besides its own time."""
SMALL_SHIFTS = 32
"""The same for the small classifier, which scores every shift in one pass."""
LIP_RATE = 25
LIP_SEARCH = 15
"""Frames that SyncNet's search moves the voice to either side."""


@dataclass(frozen=True)
class FrameFeatures(Observation):
    """Inception features of the frames."""

    resize: Literal["pytorch-fid", "avsync"]
    skip_first: bool
    needs: ClassVar = ("inception",)

    def observe(self, cut: Cut, reference: Cut | None, networks: Networks) -> Observed:
        from asva_metrics import fid_images

        images = _video(cut, networks.device)[0][int(self.skip_first) :]
        return _features(networks["inception"](fid_images(images, resize=self.resize)))


@dataclass(frozen=True)
class ClipFeatures(Observation):
    """I3D logits of the clip."""

    resize: Literal["avsync", "common-metrics"]
    needs: ClassVar = ("i3d",)

    def observe(self, cut: Cut, reference: Cut | None, networks: Networks) -> Observed:
        from asva_metrics import fvd_video

        return _features(networks["i3d"](fvd_video(_video(cut, networks.device), resize=self.resize)))


@dataclass(frozen=True)
class JointFeatures(Observation):
    """ImageBind's vectors of every frame and, if there is one, of the sound (the mean over windows of 2 s)."""

    needs: ClassVar = ("imagebind",)

    def observe(self, cut: Cut, reference: Cut | None, networks: Networks) -> Observed:
        model = networks["imagebind"]
        tensors = {"frames": _numpy(model.embed_video(_video(cut, networks.device))[0])}
        try:
            sound_of(cut)
        except ValueError as error:
            return Observed({"silent": str(error)}, tensors)
        vectors = model.embed_audio(mels(cut).to(networks.device)).mean(dim=0)
        return Observed({}, tensors | {"sound": _numpy(vectors / vectors.norm())})


@dataclass(frozen=True)
class SyncFeatures(Observation):
    """The AVSync classifier's vectors of the frames, and of the sound at its own and at shifted times."""

    needs: ClassVar = ("avsync",)

    def observe(self, cut: Cut, reference: Cut | None, networks: Networks) -> Observed:
        import torch

        from asva_metrics import clip_video

        sound_of(cut)
        network, device = networks["avsync"], networks.device
        length = cut.network_waveform.shape[-1]
        steps = [0, *(round((k + 0.5) / SHIFTS * length) for k in range(SHIFTS))]
        sounds = torch.cat([mels(cut, shift=step)[:1] for step in steps])
        video = network.embed_video(clip_video(_video(cut, device)))
        return Observed({}, {"video": _numpy(video[0]), "sounds": _numpy(network.embed_audio(sounds.to(device)))})


@dataclass(frozen=True)
class SmallSyncFeatures(Observation):
    """Vectors of every frame and every moment of the sound by the small classifier, and its scores by shift."""

    needs: ClassVar = ("sync",)

    def observe(self, cut: Cut, reference: Cut | None, networks: Networks) -> Observed:
        import torch

        from asva_metrics import local_changes
        from asva_metrics.local_sync import stands_still

        sound_of(cut)
        network, device = networks["sync"], networks.device
        moving = torch.from_numpy(_frames_at(cut, network.config.fps)).permute(0, 3, 1, 2)[None]
        mono = mono_sound(cut)
        missing = max(0, round(cut.seconds * NETWORK_RATE) - len(mono))
        waveform = torch.nn.functional.pad(mono, (0, missing))[None]
        audio, video = network.embed_audio(waveform.to(device)), network.embed_video(moving.to(device))
        video = video * (not stands_still(local_changes(cut.moving)))  # a still picture fits every sound alike
        shifts = small_shifts(cut.seconds)
        scores = network.profile(audio, video, torch.tensor(shifts, device=device))[0]
        facts = {"shifts": shifts, "scores": [round(float(score), 6) for score in scores]}
        return Observed(facts, {"video": _numpy(video), "sound": _numpy(audio)})


@dataclass(frozen=True)
class ImageFeatures(Observation):
    """CLIP's vector of every frame."""

    needs: ClassVar = ("clip",)

    def observe(self, cut: Cut, reference: Cut | None, networks: Networks) -> Observed:
        from asva_metrics import clip_video

        model = networks["clip"]
        size = model.config.vision_config.image_size
        pixels = clip_video(_video(cut, networks.device), size=size, resize="crop")[0]
        vectors = model.visual_projection(model.vision_model(pixel_values=pixels).pooler_output)
        return Observed({}, {"frames": _numpy(vectors / vectors.norm(dim=-1, keepdim=True))})


@dataclass(frozen=True)
class WholeFeatures(Observation):
    """VideoCLIP-XL's vector of the clip."""

    needs: ClassVar = ("videoclip",)

    def observe(self, cut: Cut, reference: Cut | None, networks: Networks) -> Observed:
        return Observed({}, {"video": _numpy(networks["videoclip"].embed_video(_video(cut, networks.device))[0])})


@dataclass(frozen=True)
class LipVectors(Observation):
    """SyncNet's vectors of the largest face at 25 frames per second and of the voice beside it."""

    needs: ClassVar = ("syncnet", "faces")

    def observe(self, cut: Cut, reference: Cut | None, networks: Networks) -> Observed:
        import torch

        from asva_metrics import face_crops, find_face_boxes, speech_mfcc

        sound_of(cut)
        frames = _frames_at(cut, LIP_RATE)
        boxes = find_face_boxes(frames, networks["faces"])
        if np.isnan(boxes[:, 0]).mean() > 0.5:
            raise ValueError("no face in most frames")
        mfcc = torch.from_numpy(speech_mfcc(mono_sound(cut))).float().to(networks.device)
        faces = torch.from_numpy(face_crops(frames, boxes)).to(networks.device)
        lips, voice = networks["syncnet"].embed_track(faces, mfcc)
        return Observed({}, {"lips": _numpy(lips), "voice": _numpy(voice)})


def small_shifts(seconds: float) -> list[float]:
    """Seconds by which the small classifier is given the sound later, the first one being none."""
    return [seconds * k / SMALL_SHIFTS for k in range(SMALL_SHIFTS)]


def mels(cut: Cut, *, shift: int = 0) -> torch.Tensor:
    """(w, 1, 128, 204) of each 2 s of the sound, moved circularly by some samples; officially of the middle alone."""
    import torch

    from asva_audio import avsyncd_mel, imagebind_mel

    waveform = torch.roll(cut.network_waveform, shift, dims=-1)
    if cut.stereo == "official":
        return avsyncd_mel(waveform)
    mono = waveform[0]
    count = max(1, len(mono) // WINDOW)
    return torch.cat([imagebind_mel(mono[i * WINDOW : (i + 1) * WINDOW]) for i in range(count)])


def _frames_at(cut: Cut, fps: float) -> np.ndarray:
    """The nearest frames of the file at another rate."""
    places = np.round(np.arange(round(cut.seconds * fps)) * cut.moving_fps / fps).astype(int)
    return cut.moving[np.minimum(places, len(cut.moving) - 1)]


def mono_sound(cut: Cut, rate: int = NETWORK_RATE) -> torch.Tensor:
    """(s,) the file's own sound at a network's rate."""
    import torch

    from asva_audio import resample

    return resample(torch.from_numpy(cut.waveform), cut.sample_rate, rate)


def _video(cut: Cut, device: str) -> torch.Tensor:
    import torch

    return torch.from_numpy(cut.frames).permute(0, 3, 1, 2)[None].to(device)


def _features(values: torch.Tensor) -> Observed:
    return Observed({}, {"features": _numpy(values)})


def _numpy(values: torch.Tensor) -> np.ndarray:
    return values.detach().float().cpu().numpy()
