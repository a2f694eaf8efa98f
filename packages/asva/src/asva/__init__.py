"""A picture and a sound become a video that moves in time with the sound."""
