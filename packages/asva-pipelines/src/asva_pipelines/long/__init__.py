"""Videos as long as their sound: planned to the frame, made window by window, written as they come."""
