"""The field's datasets: layouts on disk, splits, captions, clips of every protocol, and tar shards."""
