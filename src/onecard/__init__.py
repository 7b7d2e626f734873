"""One-Card (城市一卡通): the open city one-card platform."""

__version__ = "0.1.0"
