"""Fixtures of the widget tests."""

from tests.browser import chromium  # noqa: F401 - a fixture
