"""The bundled models, which run on any laptop, and the tasks that they know.

`load_tiny()` gives model and tokenizer: by default a DiffusionGemma of 1.1 million parameters.
`encode_prompt(tokenizer, prompt)` gives what `model.generate()` wants and refuses bad prompts; `tiny.tasks` draws
prompts and judges answers. Importing this imports neither torch nor transformers.
"""

from dgemma_viz.tiny.loading import load_tiny
from dgemma_viz.tiny.tokenizer import encode_prompt

__all__ = ["encode_prompt", "load_tiny"]
