"""AVSyncD's U-Net: Stable Diffusion's, made to animate its first frame to a sound (AVSyncD, section 4)."""
