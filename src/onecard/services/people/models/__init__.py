"""Cardholders, their departments, what they may hold by law, and loads of many: the shapes, a file each."""

from onecard.services.people.models.caps import LegalCap
from onecard.services.people.models.holder import MAX_PHOTO_BYTES, Gender, Holder, HolderPhoto, HolderState
from onecard.services.people.models.loads import LoadJob, LoadMode, LoadState
from onecard.services.people.models.organisation import Department

__all__ = [
    "MAX_PHOTO_BYTES",
    "Department",
    "Gender",
    "Holder",
    "HolderPhoto",
    "HolderState",
    "LegalCap",
    "LoadJob",
    "LoadMode",
    "LoadState",
]
