"""A benchmark of transferability scores: which cheap number predicts what fine-tuning brings?"""

__version__ = "0.2.0"
