"""A picture and a sound become a video that moves in time with the sound: the command line over the asva packages."""

__all__: list[str] = []
