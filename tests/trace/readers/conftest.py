import pytest

from tests.trace.readers.masked_loop import run_masked


@pytest.fixture(scope="session")
def kept():
    return run_masked()
