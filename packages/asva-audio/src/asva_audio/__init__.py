"""Sound for audio-synchronized video models: reading, mel spectrograms, encoders and tokens aligned to video frames."""
