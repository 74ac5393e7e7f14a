"""What this package is called where it introduces itself, and its version."""

NAME = "tallymark-python"
__version__ = "0.1.0"
