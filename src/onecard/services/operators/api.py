"""What other areas call of the operator tree."""

from onecard.services.operators.directory import Change

__all__ = ["Change"]
