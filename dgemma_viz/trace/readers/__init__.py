"""Readers of what others write: one format a file, told apart by content.

=====================  ================================================================================================
format                 what a file of it holds
=====================  ================================================================================================
:mod:`.step_map`       final tokens, and the step at which each was revealed
:mod:`.history`        the canvas after each step, as token ids; what each step proposed (x0), or only that
:mod:`.text_frames`    the canvas after each step, as texts
=====================  ================================================================================================

The container does not matter (:mod:`.content`): JSON, JSON lines, ``.npz``, ``.npy``, safetensors, text; nothing that
is pickled. A folder holds several runs, or one run with a file for each step (:mod:`.folder`).

None of these formats says what the model computed. What it lacks is absent from the trace, what follows from what is
there is said to be derived, by a notice; no confidence is made up.
"""

from dgemma_viz.trace.readers.registry import FORMATS, read_foreign

__all__ = ["FORMATS", "read_foreign"]
