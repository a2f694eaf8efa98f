"""Which words of a prompt the sound moves (AADiff, section 3): those given, or the one that sounds most like it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from asva_audio import resample

CLAP_RATE = 48000


def word_places(tokenizer: Any, prompt: str, words: Sequence[str] | None, length: int) -> Tensor:
    """Which tokens of a prompt belong to some of its words.

    Args:
        tokenizer: Of the prompt.
        prompt: Words.
        words: Some of them, each one word or several in a row; None is all, without the marks at start and end.
        length: Tokens n that the network is given.

    Returns:
        (n,) bool.

    Raises:
        ValueError: If the prompt holds no words, or not those.
    """
    tokens = tokenizer(prompt, add_special_tokens=False).input_ids[: length - 2]
    if not tokens:
        raise ValueError(f"`prompt` must hold words that the sound can stress, got '{prompt}'.")
    chosen = torch.zeros(length, dtype=torch.bool)
    if words is None:
        chosen[1 : len(tokens) + 1] = True
    for word in words or ():
        wanted = tokenizer(word, add_special_tokens=False).input_ids
        starts = [at for at in range(len(tokens)) if wanted and tokens[at : at + len(wanted)] == wanted]
        if not starts:
            raise ValueError(f"`words` must stand in the prompt '{prompt}', got '{word}'.")
        for at in starts:
            chosen[at + 1 : at + 1 + len(wanted)] = True
    return chosen


def heard_word(clap: str | Path, prompt: str, waveform: Tensor, sample_rate: int) -> str:
    """The word of a prompt that sounds most like a sound to CLAP.

    Args:
        clap: Folder of transformers' ClapModel and its processor, such as laion/clap-htsat-unfused.
        prompt: Words.
        waveform: (s,) samples.
        sample_rate: Hertz.

    Raises:
        ValueError: If the prompt holds no words, or there is no CLAP in the folder.
    """
    words = [word for word in (piece.strip(".,;:!?\"'()") for piece in prompt.split()) if word]
    if not words:
        raise ValueError(f"`prompt` must hold words that the sound can stress, got '{prompt}'.")
    model, processor = _clap(str(clap))
    sound = resample(waveform[None], sample_rate, CLAP_RATE)[0].numpy()
    text = processor.tokenizer(words, padding=True, return_tensors="pt")
    mel = processor.feature_extractor(sound, sampling_rate=CLAP_RATE, return_tensors="pt")
    found = model.get_text_features(**text).pooler_output, model.get_audio_features(**mel).pooler_output
    return words[int(torch.cosine_similarity(*found).argmax())]


@lru_cache(maxsize=1)
def _clap(folder: str) -> tuple[Any, Any]:
    from transformers import ClapModel, ClapProcessor

    if not (Path(folder) / "config.json").is_file():
        raise ValueError(f"`clap` must be a folder of transformers' ClapModel, got {folder}.")
    model: Any = ClapModel.from_pretrained(folder, local_files_only=True)
    return model.eval(), ClapProcessor.from_pretrained(folder, local_files_only=True)
