"""Techniques, one file each, and what they share: the training loop and the tuning of towers.

The files of techniques import torch inside their functions, so that their declarations can be read without it.
"""
