"""The domain of flowmon: what happened (facts), what we conclude (findings), and the pure core between them."""

__version__ = "0.1.0"
