"""Folders of spoken words, and the fast form in which trainings read them."""

from models.data.errors import DataError

__all__ = ["DataError"]
