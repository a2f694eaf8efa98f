"""The rules of the DEMIX data on made-up tracks and spans."""

import numpy as np
import pytest

from asva_curate import (
    Demixings,
    DemixScore,
    Excerpt,
    VoiceOverScore,
    demix_distance,
    load_recipe,
    subset,
    voice_over_share,
)
from asva_curate.curation.demix import loudness
from asva_data import MediaError

RATE = 16000


def tone(hertz, gain=0.2, seconds=1.0):
    return gain * np.sin(2 * np.pi * hertz * np.arange(round(RATE * seconds)) / RATE)


SPEECH, EFFECTS, MUSIC, NONE = tone(200), tone(900), tone(440), np.zeros(RATE)


def demixings(speech_b=SPEECH, effects=EFFECTS, music=MUSIC, others=None):
    others = effects + music if others is None else others
    return Demixings(SPEECH + effects + music, SPEECH, effects, music, speech_b, others)


def test_only_comparable_tracks_are_compared():
    assert demix_distance(demixings()) == 0.0
    assert demix_distance(demixings(others=NONE)) == 0.0  # neither effects nor music is silent: not comparable
    assert demix_distance(demixings(music=NONE)) == 0.0
    assert demix_distance(demixings(music=NONE, others=NONE)) > 0.3
    assert demix_distance(demixings(effects=NONE, others=NONE)) > 0.3
    assert demix_distance(demixings(speech_b=NONE)) > 0.3
    quiet = tone(440, gain=0.004)  # -51 dBFS: silent
    assert demix_distance(demixings(music=quiet, others=EFFECTS)) == 0.0


def test_levels():
    assert loudness(tone(440, gain=1.0)) == pytest.approx(-3.01, abs=0.01)
    assert loudness(NONE) == -100.0


def test_tracks_of_unlike_length_are_refused():
    with pytest.raises(MediaError, match="one shape"):
        demix_distance(demixings()._replace(music_a=MUSIC[:-1]))


def test_voice_over():
    assert voice_over_share([], []) == 0.0
    assert voice_over_share([(0, 2)], []) == 1.0
    assert voice_over_share([(0, 2), (1, 4)], [(0, 1), (0.5, 3)]) == pytest.approx(0.25)


def test_subsets_overlap():
    assert subset(talking_head=True, people=1, effects=-60, music=-60) == {"basic-face"}
    assert subset(talking_head=False, people=1, effects=-20, music=-60) == {"single", "sound-event"}
    assert subset(talking_head=False, people=3, effects=-60, music=-20) == {"multiple", "visual-mood"}
    assert subset(talking_head=False, people=0, effects=-60, music=-60) == set()


def excerpt(waveform):
    frames, times = np.zeros((4, 8, 8, 3), np.uint8), np.arange(4) / 4
    return Excerpt(
        path="a", label="", start=0, seconds=1, frames=frames, times=times, waveform=waveform, sample_rate=RATE
    )


def test_scores_take_any_demixer_and_diariser():
    first = lambda sound, rate: {"speech": sound[0], "effects": sound[0] * 0, "music": sound[0] * 0}  # noqa: E731
    second = lambda sound, rate: {"speech": sound[0] * 0, "others": sound[0]}  # noqa: E731
    found = DemixScore(first, second)(excerpt(SPEECH[None]))
    assert found["demix_distance"] == pytest.approx(1.0)
    assert found["music_level"] == -100.0
    assert DemixScore(first, second)(excerpt(None))["demix_distance"] == 0.0
    seen = VoiceOverScore(lambda piece: [(0.0, 1.0)], lambda frame: 0)(excerpt(SPEECH[None]))
    assert seen == {"voice_over": 1.0, "people": 0.0}


def test_the_recipe_drops_what_the_scores_find():
    rules = {rule.name: rule for rule in load_recipe("demix").filters}
    assert rules["demix"].reason(0.4) and not rules["demix"].reason(0.2)
    assert rules["voice-over"].reason(1.0) and not rules["voice-over"].reason(0.5)
