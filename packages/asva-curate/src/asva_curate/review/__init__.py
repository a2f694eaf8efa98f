"""The manual step: a person looks through the kept clips, keeps, drops or trims them; several are compared."""
