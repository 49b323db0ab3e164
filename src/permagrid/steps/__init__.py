"""The steps of a run: each takes the study and plain values, and gives the next one what it needs."""
