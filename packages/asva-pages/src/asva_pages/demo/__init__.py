"""The page of `asva demo`: upload a sound and a picture, move keyframes, watch the video; several users at once."""
