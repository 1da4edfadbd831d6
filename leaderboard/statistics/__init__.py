"""The statistics of a board, on numpy arrays: correlations, intervals, p values, partial correlations, reliability, prediction.

Shapes are written with S scorers, B selections of the points (all of them, then one cluster left out at a time), G groups and P points.
"""
