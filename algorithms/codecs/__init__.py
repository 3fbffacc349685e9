"""Codecs: how a vector becomes bytes on the wire and back. Bits are packed.

What is declared is what is sent.
"""
