"""VideoCrafter1 and 2: words, and in one of the models a picture, without sound."""
