"""The table of learners that a study may name."""
