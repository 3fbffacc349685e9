"""Distributed SGD algorithms: how workers turn local gradients into new parameters.

Nothing here knows of networks.
"""
