"""The method `i2vd`: AVSyncD's pipeline without ears, its baseline."""

from asva_pipelines.method import ONE_STAGE, PROMPTS, STEPS, Method, options

METHOD = Method(
    name="i2vd",
    summary="AVSyncD without sound",
    pipeline="asva_pipelines.avsyncd.pipeline:AVSyncDPipeline",
    ear="audio_encoder",
    hears=False,
    stages=ONE_STAGE,
    options=options(*STEPS, "--text-guidance") | PROMPTS,
)
