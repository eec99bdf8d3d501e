"""Chromium for the dashboard tests."""

from tests.browser import chromium

__all__ = ["chromium"]
