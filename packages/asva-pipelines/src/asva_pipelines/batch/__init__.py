"""Many videos from a table or a folder, each with a record that says of what it was made."""
