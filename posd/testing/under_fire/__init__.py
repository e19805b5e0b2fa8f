"""The shipped process under fire: `python -m posd.testing.torture`."""
