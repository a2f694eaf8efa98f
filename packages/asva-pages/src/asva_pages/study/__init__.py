"""A study with people: two systems' videos side by side, blind, in random order, with sound."""
