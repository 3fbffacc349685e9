"""Gradwire: how fast does this algorithm train on that network?"""

__version__ = "0.1.0"
