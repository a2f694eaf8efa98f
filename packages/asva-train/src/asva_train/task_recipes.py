"""Recipes of the tasks: one frozen dataclass each."""

from dataclasses import field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from asva_data.settings import strict
from asva_dit.losses import MTVSettings
from asva_train.fields import DataRecipe, LoopRecipe, Share
from asva_unet.losses import KeyVIDSettings, LossSettings


@strict
class VAERecipe:
    """Recipe of the autoencoder (KeyVID takes that of Stable Diffusion; ours is trained).

    Attributes:
        model: Config of ``diffusers.AutoencoderKL``.
        frames_per_clip: Frames drawn from each clip.
        kl_weight: Weight of the KL divergence per latent number.
        motion_weight: Extra weight of the pixels of moving objects.
        tone_weight: Weight of the error of 8x8 averages, so that plain surfaces keep their tone.
        init: Folder of an autoencoder to start from; random if none.
    """

    task: Literal["vae"]
    data: DataRecipe = field(default_factory=DataRecipe)
    loop: LoopRecipe
    model: dict[str, Any]
    frames_per_clip: int = 4
    kl_weight: float = 1e-4
    motion_weight: float = 0.0
    tone_weight: float = 0.0
    init: Path | None = None


@strict
class CarryRecipe:
    """Recipe of the head that carries texture, ours: what a model makes of a clip to what the clip shows.

    Attributes:
        model: Config of ``asva_unet.TextureCarry``.
        pipeline: Model that makes the clips, by name or folder.
        frames_per_clip: Frames drawn from each clip.
        motion_weight: Extra weight of the pixels of moving objects.
        init: Folder of a head to start from; random if none.
    """

    task: Literal["carry"]
    data: DataRecipe = field(default_factory=DataRecipe)
    loop: LoopRecipe
    model: dict[str, Any] = field(default_factory=dict)
    pipeline: str = "tiny"
    frames_per_clip: int = 2
    motion_weight: float = 8.0
    init: Path | None = None


@strict
class LocalizerRecipe:
    """Recipe of the localizer, sound to motion curve (KeyVID, section 3.1).

    Attributes:
        model: Config of ``asva_keyframe.MotionLocalizer``.
        aux_weight: Weight of the loudness curve as a second target (official code: 0.3).
        spectrum_weight: Ours. Weight of predicting each frame's spectrum, so that the audio encoder keeps pitch.
        class_weight: Ours. Weight of naming the clip's class from its sound.
        init: Folder of a localizer to start from, or of ImageBind's audio encoder, whose positions alone it draws anew,
            as published; random if none.
        share_encoder: Also export the audio encoder as the one that conditions the U-Nets.
    """

    task: Literal["localizer"]
    data: DataRecipe = field(default_factory=DataRecipe)
    loop: LoopRecipe
    model: dict[str, Any]
    aux_weight: float = 0.3
    spectrum_weight: float = 0.0
    class_weight: float = 0.0
    share_encoder: bool = False
    init: Path | None = None


@strict
class DenoiserRecipe(LossSettings):
    """What the recipes of all video networks share, beside what their losses ask.

    A component that learns starts from ``init`` or at random by ``models`` or, with both, at random and then from what
    ``init`` holds; without either, from ``base``. One that does not learn is read from ``init``, the model folder, or
    ``base``, whichever has it first. Paths are relative to the working directory.

    Attributes:
        base: Model, by folder or name (``tiny`` is the bundled one), for what neither ``init`` nor the folder has.
        init: Folder of a component, by component name.
        models: Config of each component that is built here, by component name.
        train: Components that learn beside the U-Net.
        trainable: Patterns of U-Net parameters that learn (regular expressions); all if empty.
        zero_terminal_snr: Whether the last time step holds no signal.
        text_precision: In which a text encoder runs that does not learn; T5-XXL fills 19 GB in float32.
        settings: How a model of it samples: settings that come with the package, or a YAML file.
    """

    data: DataRecipe = field(default_factory=DataRecipe)
    loop: LoopRecipe
    base: str | None = None
    init: dict[str, Path] = field(default_factory=dict)
    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    train: tuple[str, ...] = ()
    trainable: tuple[str, ...] = ()
    zero_terminal_snr: bool = True
    text_precision: Literal["float32", "bfloat16", "float16"] = "float32"
    settings: str | None = None
    dropout: dict[str, Share] = field(default_factory=dict)


@strict
class DiffusionRecipe(DenoiserRecipe, KeyVIDSettings):
    """Recipe of one of the two diffusion stages (KeyVID, sections 3.2 and 3.3).

    Attributes:
        num_keyframes: Keyframes of one clip.
        sampling: ``"clip"``, keyframes of the whole clip and all of its frames, or ``"official"``, the original's
            datasets: 12 keyframes, or 12 neighbouring frames with known ones among them.
        selection: Rule that chooses keyframes from a motion curve (``asva_keyframe.select_keyframes``), or
            ``"uniform"``: none, they stand at equal distances.
        keyframe_ratio: Share of samples with keyframes from the curve; the rest takes other frames.
        alignment: Which audio tokens belong to a frame, ``"aligned"`` or ``"official"``.
        fill: What stands between the keyframes in the condition of the interpolator, ``"zeros"`` or ``"linear"``.
        mask_channel: Whether a channel tells the interpolator which frames are keyframes.
    """

    task: Literal["keyframe", "interp"]
    num_keyframes: int = 12
    sampling: Literal["clip", "official"] = "clip"
    selection: Literal["inference", "training", "even", "uniform"] = "even"
    keyframe_ratio: float = 0.4
    alignment: Literal["aligned", "official"] = "aligned"
    fill: Literal["zeros", "linear"] = "zeros"
    mask_channel: bool = False


@strict
class AVSyncDRecipe(DenoiserRecipe):
    """Recipe of AVSyncD and of its baseline without sound (AVSyncD, section 4).

    The U-Net's component is ``avsyncd_unet`` or ``i2vd_unet``; its ``init`` may be a U-Net of Stable Diffusion 1.x.

    Attributes:
        task: ``"avsyncd"``, or ``"i2vd"``: the same without anything about sound.
        initialization: Of the layers that Stable Diffusion has not, see :meth:`asva_unet.AVSyncDUNet.from_unet2d`.
        first_frame_conv: False is the paper's ablation: convolutions over neighbouring frames.
        first_frame_attention: False is the paper's ablation: each frame attends to itself.
        segment_window: Which audio tokens belong to a frame, see :func:`asva_audio.segment_mask`.
        encoder_drop_path: ``"official"`` leaves the frozen audio encoder in training mode, as the original does by
            oversight: its blocks are skipped at random.
    """

    task: Literal["avsyncd", "i2vd"]
    initialization: Literal["neutral", "official"] = "neutral"
    first_frame_conv: bool = True
    first_frame_attention: bool = True
    segment_window: Literal["official", "split"] = "official"
    encoder_drop_path: Literal["none", "official"] = "none"


@strict
class AudioWindowRecipe(DenoiserRecipe):
    """Recipe of the audio windows on DynamiCrafter (open-domain, section 4).

    The U-Net's component is ``audio_window_unet``; its ``init`` may be a DynamiCrafter without windows. The taps learn
    always.

    Attributes:
        radius: Of a frame's window, in frames.
        taps: For each audio encoder (``imagebind``, ``beats``) the blocks heard, counted from 0.
        normalize_taps: Whether features are normalised before their projection; the paper's are not.
    """

    task: Literal["audio-window"]
    radius: float = 1.5
    taps: dict[Literal["imagebind", "beats"], tuple[int, ...]] = field(
        default_factory=lambda: {"imagebind": (3, 7, 11), "beats": (3, 7, 11)}
    )
    normalize_taps: bool = False


@strict
class MTVRecipe(DenoiserRecipe, MTVSettings):
    """Recipe of MTV's control on a video transformer (MTV, section 4.3).

    The network's component is ``mtv_transformer``; its ``init`` may be a transformer of CogVideoX, which is given a
    control. Parts that are built here (``models``) are those of the small model: patches instead of an autoencoder, a
    spectrogram instead of wav2vec 2.0.

    Attributes:
        stage: One of the five that follow one another in the paper, or ``"world"``.
        control: Arguments of the control that a base without one is given, from ``audio_window`` on.
        learns: What of the network moves: ``"control"``; ``"attention"``, that of the base too, as published; or
            ``"everything"``.
        snr_shift_scale: 1 for a base of 5 billion weights, 3 for one of 2 billion.
        tracks: ``"separate"``, or ``"mix"``, an ablation: every track is the whole sound.
        stems: How sounds are taken apart whose tracks are not stored (``data.stems``): by ``"masks"``, approximately,
            or by a network, the path of its HTDemucs checkpoint.
    """

    task: Literal["mtv"]
    stage: Literal["face", "single", "multiple", "sound-event", "mood", "world"]
    control: dict[str, Any] = field(default_factory=dict)
    learns: Literal["control", "attention", "everything"] = "attention"
    frame_masks: dict[str, Share] = field(default_factory=dict)
    snr_shift_scale: float = 1.0
    tracks: Literal["separate", "mix"] = "separate"
    stems: Literal["masks"] | Path = "masks"


@strict
class LoRARecipe:
    """Recipe of LoRA layers for a model that is trained already.

    Attributes:
        base: The model, by folder or name.
        method: Training whose network is adapted, and whose loss is taken.
        rank: Of the layers.
        alpha: They are scaled by ``alpha / rank``; by 1 if none.
        targets: Names of the layers that get one.
        training: Fields of the method's own recipe, such as weights of its loss.
    """

    task: Literal["lora"]
    data: DataRecipe = field(default_factory=DataRecipe)
    loop: LoopRecipe
    base: str = "tiny"
    method: Literal["keyframe", "interp", "avsyncd", "i2vd", "audio-window", "mtv"]
    rank: Annotated[int, Field(ge=1)] = 8
    alpha: int | None = None
    targets: tuple[str, ...] = ("to_q", "to_k", "to_v", "to_k_audio", "to_v_audio")
    training: dict[str, Any] = field(default_factory=dict)


@strict
class SyncRecipe:
    """Recipe of a sync classifier (AVSyncD, section 5.1; the small one is ours).

    Clips must be longer than the two seconds that a classifier sees.

    Attributes:
        network: ``"avsync"``, the classifier of AVSyncD, or ``"small"``, the one of the synthetic world.
        model: Config of ``asva_metrics.AVSyncClassifier`` or ``asva_metrics.SmallSyncClassifier``.
        num_shifts: Clips of each video that are told apart (``"avsync"``).
        shift_seconds: Between two of them.
        temperature: Divides the scores.
        flip: Chance that a clip is mirrored, each for itself.
        init: Folder of a classifier to start from; random if none.
    """

    task: Literal["sync"]
    data: DataRecipe = field(default_factory=DataRecipe)
    loop: LoopRecipe
    network: Literal["avsync", "small"] = "avsync"
    model: dict[str, Any] = field(default_factory=dict)
    num_shifts: int = 21
    shift_seconds: float = 0.2
    temperature: float = 0.1
    flip: Share = 0.5
    init: Path | None = None


@strict
class ControlRecipe:
    """Recipe of a control on a video transformer of diffusers (CogVideoX, Wan, LTX-2), whose base is frozen.

    Attributes:
        base: Folder or hub id of an image-to-video pipeline of diffusers.
        control: ``"AudioWindows"`` (open-domain, section 4) or ``"MultiStream"`` (MTV, section 4.2).
        arguments: Of the control, beyond those that follow from base and clips.
        hears: Names of ``ears``, ``name.layer``, or the tracks of MTV: speech, effects, music.
        ears: Audio encoders by name: a folder, or the arguments of a spectrogram (``asva_audio.LogMelFrames``).
        init: Folder of a control to go on from.
        expert: Which transformer of the base; Wan 2.2 A14B has two.
        times: Noise between which that expert works, from 0 to 1.
        lora_rank: Of LoRA beside the control, 0 for none.
        lora_targets: Layers of the base that it is laid on.
        base_precision: In which the frozen base is computed.
        base_storage: ``"float8"`` keeps its weights in eight bits between the layers' calls; not with LoRA.
        dropout: Chance that ``text`` or ``audio`` is left out.
        motion_weight: Extra weight of latent cells by their optical flow, as a share of the clip's mean (Syncphony).
        noise_bias: Times are ``1 - u^noise_bias``, u uniform: 1 is uniform, more prefers much noise.
    """

    task: Literal["control"]
    data: DataRecipe = field(default_factory=DataRecipe)
    loop: LoopRecipe
    base: str | None = None
    control: Literal["AudioWindows", "MultiStream"] = "AudioWindows"
    arguments: dict[str, Any] = field(default_factory=dict)
    hears: tuple[str, ...] = ("mel",)
    ears: dict[str, dict[str, Any] | Path] = field(default_factory=dict)
    init: Path | None = None
    expert: Literal["transformer", "transformer_2"] = "transformer"
    times: tuple[Share, Share] = (0.0, 1.0)
    lora_rank: int = 0
    lora_targets: tuple[str, ...] = ("to_q", "to_k", "to_v", "to_out.0")
    base_precision: Literal["float32", "bfloat16"] = "float32"
    base_storage: Literal["own", "float8"] = "own"
    dropout: dict[str, Share] = field(default_factory=dict)
    motion_weight: float = 0.0
    noise_bias: float = 1.0
