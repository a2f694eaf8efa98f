"""Xing et al., "Seeing and Hearing": a text-to-video network held to a sound by ImageBind (CVPR 2024); our reading."""
