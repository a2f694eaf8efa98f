"""Metrics of audio-synchronized video, each with an interval and a chance level."""
