"""The parts of the independent checker: what it reads, and the rules."""
