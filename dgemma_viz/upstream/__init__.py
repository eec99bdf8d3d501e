"""The one place that knows what other libraries do not document; a new version of theirs is read in here.

=======================  =============================================================================================
:mod:`.versions`         which versions are needed, and which do not run together
:mod:`.transformers`     transformers 5.23 and 5.24: model classes, the methods of its loops, the renamed cache
:mod:`.diffusers`        diffusers 0.42: pipelines and schedulers, their methods and what they remember
:mod:`.mlx_vlm`          mlx-vlm 0.7: the loop of its DiffusionGemma, and the functions that it calls in a step
:mod:`.torch_compile`    torch 2.9 on: what ``torch.compile`` leaves on a function or module
=======================  =============================================================================================

Every private name of theirs, and every class that belongs to one model or pipeline, is taken from here, which
``tests/upstream/test_private_names.py`` holds; what they document for everyone (``LogitsProcessor``, ``DynamicCache``,
tokenizers) may be imported directly. In what order the methods run, and with which arguments, the heads of the
recorders say (:mod:`dgemma_viz.recorders.diffusion_gemma` and its neighbours).

None of these modules imports its library: a class is imported when it is asked for.

To support a new version: change the bounds in ``pyproject.toml`` and :data:`.versions.CLASHES`, run ``tests/upstream``,
which looks every name up in the installed libraries, mend what it finds here, and then run ``tests/recorders``.
"""
