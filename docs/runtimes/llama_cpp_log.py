r"""Make a file that ``dgemma_viz.load_trace`` opens out of what llama.cpp's diffusion example prints.

Written against ``examples/diffusion`` of ggml-org/llama.cpp at commits 15ad8f4 (``diffusion-cli.cpp``) and 10a2613
(``diffusion.cpp``), which have DiffusionGemma's entropy-bound sampler (the branch of pull request 24423).

**Frames.** ``--diffusion-visual`` paints the text after each step into the terminal: masks as spaces, lines cut at the
terminal's width and height, no token ids. What can be had from that is frames of text::

    llama-diffusion-cli -m model.gguf -p "..." --diffusion-visual > screen.txt
    python llama_cpp_log.py frames screen.txt frames.json

``load_trace`` then reads words for positions, and refuses the frames where their number changes: a position must keep
its meaning. Use it to look at a run of which nothing else is left.

**Token ids.** Ten lines more in ``diffusion_step_callback`` give all that it is handed::

    if (const char * path = std::getenv("DIFFUSION_LOG")) {
        FILE * log = std::fopen(path, "a");
        std::fprintf(log, "{\"step\": %d, \"tokens\": [", step);
        for (int32_t i = data->n_input; i < n_tokens; i++) {
            std::fprintf(log, "%s%d", i > data->n_input ? ", " : "", tokens[i]);
        }
        std::fprintf(log, "]}\n");
        std::fclose(log);
    }

    DIFFUSION_LOG=steps.jsonl llama-diffusion-cli -m model.gguf -p "..."
    python llama_cpp_log.py drafts steps.jsonl run.jsonl                    # DiffusionGemma
    python llama_cpp_log.py masks steps.jsonl run.json --mask 126336        # LLaDA, Dream

The two samplers hand over different things. DiffusionGemma's (``diffusion_generate_entropy_bound``) calls back AFTER a
step with its drafts; what it read, accepted and how sure it was is not among them. The one for masks
(``diffusion_generate``) calls back BEFORE a step with what that step reads; the canvas after the last step is never
handed over, so what the last step did is not known, and the run counts as interrupted.

Tried: on texts that were made in the shape of what these functions write (``tests/test_runtime_logs.py``). Not tried:
llama.cpp itself; the ten lines were not compiled.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_FRAME = re.compile(r"\x1b\[\?2026h(.*?)\x1b\[\?2026l", re.DOTALL)
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")
_PROGRESS = re.compile(r"diffusion step: (\d+)/(\d+) \[")


def frames(screen: str) -> dict[str, Any]:
    """Frames of text of what ``--diffusion-visual`` painted, without its progress bar."""
    found = []
    for painted in _FRAME.findall(screen):
        lines = _CONTROL.sub("", painted).split("\n")
        if _PROGRESS.match(lines[0]):
            lines = lines[1:]
        found.append("\n".join(lines).strip())
    if not found:
        raise SystemExit(
            "there is no frame in it: run llama-diffusion-cli with --diffusion-visual, its output in a file"
        )
    return {"frames": found}


def blocks(lines: Iterable[str]) -> list[list[list[int]]]:
    """Tokens of each step of each block: the callback counts steps anew in each."""
    found: list[list[list[int]]] = []
    last = -1
    for line in lines:
        if line.strip():
            data = json.loads(line)
            if data["step"] <= last or not found:
                found.append([])
            last = data["step"]
            found[-1].append(data["tokens"])
    return found


def drafts(lines: Iterable[str]) -> list[dict[str, Any]]:
    """JSON lines of a run of the entropy-bound sampler, whose last draft of each block is emitted."""
    facts = {"sampler": "llama.cpp diffusion_generate_entropy_bound", "sampler_kind": "entropy-bound"}
    out: list[dict[str, Any]] = [{"format": "dgemma_viz.lines", "version": 4, "facts": facts}]
    for canvas, steps in enumerate(blocks(lines)):
        out += [{"canvas": canvas, "step": step, "draft": tokens} for step, tokens in enumerate(steps)]
        out.append({"canvas": canvas, "emitted": steps[-1]})
    return out


def masks(lines: Iterable[str], mask: int) -> dict[str, Any]:
    """A history of a run of the sampler for masks: the canvas before each step, the last step's outcome unknown."""
    (steps, *more) = blocks(lines)
    if more:
        raise SystemExit("the log holds several runs: delete it before each, since llama.cpp appends to it")
    return {"histories": steps, "mask_token_id": mask, "prompt_length": 0}


def main() -> None:
    """Convert a file."""
    parser = argparse.ArgumentParser(description="what llama.cpp's diffusion example wrote, as a file for dgemma_viz")
    parser.add_argument("kind", choices=["frames", "drafts", "masks"])
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--mask", type=int, default=0, help="id of the mask token, for 'masks'")
    options = parser.parse_args()
    text = options.source.read_bytes().decode("utf-8", errors="replace")  # carriage returns stay what they are
    if options.kind == "drafts":
        written = "".join(json.dumps(line) + "\n" for line in drafts(text.splitlines()))
    else:
        made = frames(text) if options.kind == "frames" else masks(text.splitlines(), options.mask)
        written = json.dumps(made) + "\n"
    options.target.write_text(written, "utf-8")


if __name__ == "__main__":
    main()
