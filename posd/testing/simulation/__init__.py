"""Days of trade under a virtual clock, by seed: see README.md."""
