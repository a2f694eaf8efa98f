"""Many videos from a table or a folder: read, claimed by whoever is free, recorded one by one."""
