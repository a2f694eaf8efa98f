"""How much memory a run will need, before it starts, and what makes it fit."""
