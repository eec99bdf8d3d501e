"""A plant that changes generation settings, in a copy of the model's own config that ``generate()`` merges as usual."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    Plant = Callable[[Any], AbstractContextManager[None]]


def changed_settings(**changes: Any) -> Plant:
    """A plant that changes fields of the generation config; ``entropy_bound`` is put into the sampler's own config."""

    @contextmanager
    def plant(model: Any) -> Iterator[None]:
        from dgemma_viz.upstream.transformers import EntropyBoundSamplerConfig

        before = model.generation_config
        config = copy.deepcopy(before)
        for name, value in changes.items():
            if name == "entropy_bound":
                config.sampler_config = EntropyBoundSamplerConfig(entropy_bound=value)
            else:
                setattr(config, name, value)
        model.generation_config = config
        try:
            yield
        finally:
            model.generation_config = before

    return plant
