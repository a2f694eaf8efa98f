"""AVSyncD: Stable Diffusion with sound and first-frame lookups."""
