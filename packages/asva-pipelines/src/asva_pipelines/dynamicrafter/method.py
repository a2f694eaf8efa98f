"""The method `dynamicrafter`: the audio-window pipeline without ears, and the weights that were released."""

from asva_pipelines.loading.shared_files import TOKENIZER_FILES
from asva_pipelines.method import ONE_STAGE, PROMPTS, STEPS, Credit, Method, NamedModel, options
from asva_weights import RemoteFile

CHECKPOINT = "model.ckpt"
LICENCE = "Apache-2.0 (DynamiCrafter); holds OpenCLIP weights (MIT)"
PAPER = "DynamiCrafter: Animating Open-Domain Images with Video Diffusion Priors (ECCV 2024)"


def _model(name: str, summary: str, repo: str, revision: str | None = None) -> NamedModel:
    checkpoint = RemoteFile(repo=repo, path=CHECKPOINT, gigabytes=10.44, licence=LICENCE, revision=revision)
    return NamedModel(name=name, summary=summary, licence=LICENCE, files=(checkpoint, *TOKENIZER_FILES), converted=10.4)


METHOD = Method(
    name="dynamicrafter",
    summary="picture and prompt alone (DynamiCrafter)",
    pipeline="asva_pipelines.audio_window.pipeline:AudioWindowPipeline",
    ear="taps",
    hears=False,
    stages=ONE_STAGE,
    options=options(*STEPS, "--text-guidance", "--image-guidance") | PROMPTS,
    model="dynamicrafter",
    models=(
        _model(
            "dynamicrafter",
            "released DynamiCrafter_512, without sound, 320x512, 16 frames told to be at 24 fps",
            "Doubiiu/DynamiCrafter_512",
            "9eb874455b7903c0244fe7bf53ca21cb979cd05a",
        ),
        _model(
            "dynamicrafter-interp",
            "released DynamiCrafter_512_Interp, trained to be given the last frame too",
            "Doubiiu/DynamiCrafter_512_Interp",
        ),
    ),
    family="asva_pipelines.dynamicrafter.released:DYNAMICRAFTER",
    credit=Credit("DynamiCrafter 512", LICENCE, (PAPER,)),
    licences={file.path: file.licence for file in TOKENIZER_FILES},
)
