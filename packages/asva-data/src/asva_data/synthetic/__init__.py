"""A synthetic audiovisual world with known truth, and a detector that reads events off its pixels."""
