"""Embedding: the cache, and the jobs that fill it."""
