"""CoDi: a sound, a picture, a video and words, each as one vector, become a video."""
