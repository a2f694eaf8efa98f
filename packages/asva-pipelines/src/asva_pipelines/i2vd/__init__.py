"""AVSyncD without sound: the baseline that hears nothing."""
