"""The bundled mask-token model: a bidirectional transformer of a million parameters for diffusers' ``LLaDA2Pipeline``.

``load_tiny("masked")`` gives model and tokenizer. It exists so that everything which is said about mask-token
diffusion (unmasking in order of confidence, blocks, editing) can be watched on a laptop, next to the bundled
DiffusionGemma, which has no mask token. It knows the same tasks except the stories and the lists:
``MASKED_TASKS``.
"""

MASKED_TASKS = ("sudoku", "addition", "sort", "grid")
"""Names, in :data:`dgemma_viz.tiny.tasks.TASKS`, of the tasks that the model was trained on."""

__all__ = ["MASKED_TASKS"]
