"""CoDi: a sound, a picture and words, each as one vector, become a video."""
