"""In how many recordings without speech a speech track is heard, by each way to take sounds apart.

Recordings are found in ``ASVA_CLIPS_DIR`` (default ``../shared/clips`` beside the repository), folder ``real``; those
count as without speech whose class and remark name no people that may be heard. A speech track is heard if it is not
digital silence: wav2vec standardises what it is given, so that whatever is left comes to full level.
"""

from __future__ import annotations

import argparse
import csv
import os
import re
from pathlib import Path

import numpy as np
from results import table
from scipy.stats import binomtest

from asva_audio import MaskDemixer, level, load_audio, load_spleeter, silero_seconds
from asva_audio.speech_gate import CRUMBS, LEAST_SPEECH

CLIPS = Path(os.environ.get("ASVA_CLIPS_DIR", Path(__file__).resolve().parents[2] / "shared" / "clips"))
PEOPLE = re.compile(
    r"baby|cough|speech|speak|talk|sing|laugh|cry|crowd|cheer|concert|DJ|sport|tennis|cooking|eating|child|host|present"
    r"|interview|vlog|voice|babbl|stage|street",
    re.I,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=73, help="recordings, in the order of their names")
    told = csv.DictReader((CLIPS / "real" / "manifest.csv").open(encoding="utf-8"))
    files = [row["file"] for row in told if not PEOPLE.search(f"{row['class']} {row['seen']}")]
    spleeter, found = load_spleeter(), []
    for file in files[: parser.parse_args().count]:
        sound = load_audio(CLIPS / "real" / file, sample_rate=16000).waveform
        tracks = (demixer(sound, 16000).speech for demixer in (MaskDemixer(), spleeter))
        found.append([*(level(track) - level(sound) for track in tracks), silero_seconds(sound, 16000)])
    levels = np.array(found)
    rows = [[f"{len(levels)} recordings without speech", "a speech track is heard in"]]
    for place, name in enumerate(("masks", "Spleeter")):
        for gates in ("", ", crumbs silenced", ", crumbs silenced, silero-vad"):
            heard = levels[:, place] > (CRUMBS if gates else -np.inf)
            if "silero" in gates:
                heard &= levels[:, 2] >= LEAST_SPEECH
            rows.append([f"{name}{gates}", share(int(heard.sum()), len(heard))])
    print(table("ghost_speech/speech", rows))


def share(count: int, total: int) -> str:
    """A percentage with its interval."""
    low, high = binomtest(count, total).proportion_ci(method="wilson")
    return f"{100 * count / total:.0f} % [{100 * low:.0f}, {100 * high:.0f}]"


if __name__ == "__main__":
    main()
