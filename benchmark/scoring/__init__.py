"""Scoring: scorers over cached embeddings."""
