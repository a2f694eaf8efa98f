"""The method `audio-window`: trained here, no weights were released."""

from asva_pipelines.method import ONE_STAGE, STEPS, STRENGTH, Method, options

METHOD = Method(
    name="audio-window",
    summary="DynamiCrafter whose frames hear the sound around them (open-domain model)",
    pipeline="asva_pipelines.audio_window.pipeline:AudioWindowPipeline",
    ear="taps",
    stages=ONE_STAGE,
    options=options(*STEPS, "--guidance", "--text-guidance", "--image-guidance", "--radius") | STRENGTH,
)
