"""Every training that ``asva train`` knows: those of this package, and those of others."""

from __future__ import annotations

from asva_pipelines.entry_points import of_other_packages
from asva_train.training import AddedTraining, Training

_OWN = (
    Training(
        name="vae",
        task="asva_train.tasks.vae:VAETask",
        default="tiny-vae",
        summary="The autoencoder between pixels and latents.",
    ),
    Training(
        name="localizer",
        task="asva_train.tasks.localizer:LocalizerTask",
        default="tiny-localizer",
        summary="""The network that hears how much a clip moves when.

    Published: --recipe keyvid-localizer --data VIDEOS --set init=FOLDER, ImageBind's ears as `asva models convert`
    writes them, towards the motion that `asva data motion` has measured.""",
    ),
    Training(
        name="keyframe",
        task="asva_train.tasks.keyvid:KeyVIDTask",
        default="tiny-keyframe",
        summary="""The generator of keyframes.

    Published: --recipe keyvid-keyframe --data VIDEOS, from DynamiCrafter and ImageBind's ears
    (--set init.audio_encoder=FOLDER), or on from the released weights (--set base=keyvid), by the motion that
    `asva data motion` has measured. On uniform frames: --recipe keyvid-uniform-keyframe.""",
    ),
    Training(
        name="interp",
        task="asva_train.tasks.keyvid:KeyVIDTask",
        default="tiny-interp",
        summary="""The interpolator from keyframes to every frame.

    Published: --recipe keyvid-interp, keyvid-uniform-interp.""",
    ),
    Training(
        name="carry",
        task="asva_train.tasks.carry:CarryTask",
        default="tiny-carry",
        summary="""The head that carries the first frame's texture to where things have moved, ours; for KeyVID models.

    First the model (--set pipeline=FOLDER) makes data.shots clips of each class, which stay beside the training.""",
    ),
    Training(
        name="avsyncd",
        task="asva_train.tasks.avsyncd:AVSyncDTask",
        default="tiny-avsyncd",
        summary="""AVSyncD: a clip around its clean first frame, each frame hearing its piece of the sound.

    The published recipe is --recipe avsyncd --data VIDEOS, on a Stable Diffusion 1.5 folder (--set base=FOLDER). Of
    the paper's ablation: --set first_frame_conv=false, --set first_frame_attention=false.""",
    ),
    Training(
        name="i2vd",
        task="asva_train.tasks.avsyncd:AVSyncDTask",
        default="tiny-i2vd",
        summary="I2VD, AVSyncD without sound (published: --recipe i2vd).",
    ),
    Training(
        name="audio-window",
        task="asva_train.tasks.audio_window:AudioWindowTask",
        default="tiny-audio-window",
        summary="""The open-domain model: windows of sound around each frame, on DynamiCrafter.

    Published: --recipe audio-window-pretrain --data MANY_VIDEOS, then --recipe audio-window-finetune --data
    CLEAN_VIDEOS --set data.shots=K (all for all), each on a converted DynamiCrafter (--set base=FOLDER).

    --set radius=R: of a window, in frames. --set 'taps={imagebind: [1, 2, 3]}': encoders and their blocks.

    --set data.wrong_sound=P, data.shifted_sound=P, data.off_screen_sound=P: how often a sound does not fit.""",
    ),
    Training(
        name="mtv",
        task="asva_train.tasks.mtv:MTVTask",
        default="tiny-mtv",
        summary="""MTV: speech, effects and music steer a video transformer.

    The paper's five stages, each starting from the one before: --recipe mtv-face, mtv-single, mtv-multiple,
    mtv-sound-event, mtv-mood, with --data VIDEOS --set base=FOLDER (vae, text_encoder, tokenizer, audio_encoder) and
    --set init.mtv_transformer=FOLDER (a transformer of CogVideoX, or the stage before). `asva data stems` takes the
    sounds apart before. The default is a small model on the synthetic world of three tracks, all of it from scratch.

    --set learns=control freezes the base; --set tracks=mix gives every track the whole sound (ablations).""",
    ),
    Training(
        name="lora",
        task="asva_train.tasks.lora:LoRATask",
        default="tiny-lora",
        summary="""LoRA layers for a network that is trained already, for asva sample --lora FOLDER.

    --set base=MODEL: which one; by default the bundled model. --set method=interp, avsyncd, i2vd, audio-window or mtv:
    which of its networks, with that training's loss. --set rank=16; --set 'training={motion_weight: 6.0}': fields of
    that training's own recipe. Needs peft.""",
    ),
    Training(
        name="control",
        task="asva_train.tasks.control:ControlTask",
        default="control-windows",
        summary="""A control by which CogVideoX, Wan or LTX-2 hears, on the frozen base (--base FOLDER).

    --recipe control-windows: windows of sound around each latent frame; control-streams: speech, effects and music.
    --set lora_rank=16 trains LoRA on the attention beside it. Then: asva sample --method hear --model BASE
    --set control=FOLDER/control.""",
    ),
    Training(
        name="sync",
        task="asva_train.tasks.sync:SyncTask",
        default="tiny-sync",
        summary="""A classifier of synchronization: which sound was heard while these frames were seen?

    AVSyncD's own, behind RelSync and AlignSync, is --recipe sync-avsync --data VIDEOS (six seconds or more); it starts
    from AVID-CMA with --set init=FILE. The default is the small one that comes with asva-metrics.""",
    ),
)
_NAMES = {one.name: one for one in _OWN}
ADDED: dict[str, AddedTraining] = {
    one.name: one for one in of_other_packages("asva.trainings", AddedTraining, {*_NAMES, "assemble"})
}
TRAININGS: dict[str, Training] = _NAMES | ADDED
