"""The card of a model: what it is, how it was trained, how it scores, under which licence."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from asva_pipelines.loading.citations import credit_of
from asva_pipelines.method import Credit

_UNKNOWN = "Not stated: whoever put it here knows."


def card_of(pipeline: Any, name: str) -> str:
    """The card that lies in the folder that a pipeline was read from, or a new one.

    Args:
        pipeline: Of any method.
        name: Of the model, ``owner/name``.
    """
    folder = Path(str(pipeline.config.get("_name_or_path") or ""))
    card = folder / "README.md"
    if folder.name and card.is_file():
        return card.read_text(encoding="utf-8")
    return model_card(pipeline, name, credit=credit_of(folder) if folder.name else None)


def model_card(
    pipeline: Any,
    name: str,
    *,
    trained: str = "",
    scores: Mapping[str, str] | None = None,
    licence: str = "",
    credit: Credit | None = None,
) -> str:
    """Markdown with the header that hubs read.

    Args:
        pipeline: Of any method.
        name: Of the model, ``owner/name``.
        trained: How: data, recipe, steps.
        scores: Figures with their intervals, by what they measure.
        licence: Of the weights, as a hub names it (``apache-2.0``); the credit's without it.
        credit: Whom the weights are owed to.

    Returns:
        The text. What is not known is said to be unknown, never left out.
    """
    sections = [
        _header(licence, credit),
        f"# {name.rpartition('/')[2]}",
        _what(pipeline),
        f"```bash\nasva sample --image picture.png --audio sound.wav --model {name} --output video.mp4\n```",
        f'```python\nfrom asva_pipelines import load_pipeline\n\npipeline = load_pipeline("{name}")\n```',
        "`DiffusionPipeline.from_pretrained` of diffusers does not know the class.",
        f"## Parts\n\n{_parts(pipeline)}",
        f"## Training\n\n{trained or _UNKNOWN}",
        f"## Figures\n\n{_table(('what', 'figure'), (scores or {}).items()) if scores else _UNKNOWN}",
        f"## Licence and citation\n\n{credit or licence or _UNKNOWN}",
    ]
    return "\n\n".join(sections) + "\n"


def _header(licence: str, credit: Credit | None) -> str:
    rows = ["library_name: asva-kit", "pipeline_tag: image-to-video"]
    rows += ["tags: [audio-to-video, audio-visual-synchronization]"]
    named = licence if licence and " " not in licence else "other" if licence or credit else ""
    return "\n".join(["---", *([f"license: {named}"] if named else []), *rows, "---"])


def _what(pipeline: Any) -> str:
    config = pipeline.config
    seconds = config.num_frames / config.fps
    return (
        f"A `{type(pipeline).__name__}` of asva: videos of {seconds:g} s, {config.num_frames} frames of "
        f"{config.height}x{config.width} pixels at {config.fps:g} per second; longer ones window by window."
    )


def _parts(pipeline: Any) -> str:
    parts = ((name, part) for name, part in pipeline.components.items() if isinstance(part, torch.nn.Module))
    rows = [
        (f"`{name}`", type(part).__name__, f"{sum(value.numel() for value in part.parameters()) / 1e6:.1f} M")
        for name, part in parts
    ]
    return _table(("part", "class", "parameters"), rows)


def _table(head: tuple[str, ...], rows: Any) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
