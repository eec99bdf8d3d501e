"""A loop of mask-token models, LLaDA's with blocks and left-padded batches, and published faults to plant in it.

>>> model, tokenizer = dv.load_tiny("masked")
>>> trace = run_mask_loop(model, tokenizer, "sort 5 3 4=", fault="block-start-first")

The loop is LLaDA's (arXiv 2502.09992, algorithm 5, section 2.4): the answer is masks, blocks are unmasked from left to
right, the surest candidates first, as many a step as the quota says. It stops behind the block in which every row has
ended, as block-diffusion loops do, and hands each block to :class:`dgemma_viz.Recorder` as one canvas. A fault is one
line gone wrong; those of DiffusionGemma's ``generate()`` stand in the other files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from dgemma_viz.errors import SettingError
from dgemma_viz.range_check import checked_range
from dgemma_viz.recorders.own_loop import Recorder
from dgemma_viz.tiny.tokenizer import encode_prompt
from dgemma_viz.trace.model import Trace


@dataclass(frozen=True)
class LoopFault:
    """A fault of the loop.

    Attributes
    ----------
    name, title, description, source
        As those of :class:`~dgemma_viz.labs.sabotage.fault.Fault`.
    """

    name: str
    title: str
    description: str
    source: str


_ALL = (
    LoopFault(
        "block-start-first",
        "Block start unmasked first",
        "The pass that opens a block unmasks the block's first position, whatever its confidence.",
        "Fast-dLLM#61",
    ),
    LoopFault(
        "works-behind-end",
        "Masks behind the end are worked on",
        "Blocks behind the one in which the answer ended are denoised like any other.",
        "Fast-dLLM#10",
    ),
    LoopFault(
        "two-distributions",
        "Probabilities of two distributions",
        "Confidence and the candidate's probability are logged after temperature, alternatives before it.",
        "diffusers#14386, vllm#45689",
    ),
    LoopFault(
        "row-used-again",
        "Row not masked anew",
        "A block begins with what the block before it held.",
        "tenstorrent/vllm#459",
    ),
    LoopFault(
        "padding-seen",
        "Padding is read",
        "Prompts of a batch are padded, and no attention mask keeps the padding from being read.",
        "Fast-dLLM#39, ZHZisZZ/dllm#15",
    ),
)
LOOP_FAULTS = MappingProxyType({fault.name: fault for fault in _ALL})
"""Every fault by its name."""


@dataclass(frozen=True)
class LoopSettings:
    """What the loop is asked for.

    Attributes
    ----------
    length, block_length
        Masks of the answer; the last block may be shorter.
    quota
        Positions unmasked in a step.
    temperature
        Candidates are drawn at it; 0 takes the most probable.

    Raises
    ------
    SettingError
        On construction, for a number that makes no loop.
    """

    length: int = 48
    block_length: int = 8
    quota: int = 2
    temperature: float = 0.0

    def __post_init__(self) -> None:
        checked_range("length", self.length, 1, whole=True, unit="masks")
        checked_range("block_length", self.block_length, 1, whole=True, unit="positions of a block")
        checked_range("quota", self.quota, 1, whole=True, unit="positions unmasked in a step")
        checked_range("temperature", self.temperature, 0)


def run_mask_loop(
    model: Any,
    tokenizer: Any,
    prompts: str | Sequence[str],
    settings: LoopSettings = LoopSettings(),
    *,
    fault: str = "",
    seed: int = 0,
) -> Trace:
    """Run the loop, healthy or with one fault, and record it.

    Parameters
    ----------
    model, tokenizer
        ``load_tiny("masked")``, or others that read ``input_ids`` and ``attention_mask`` alike.
    prompts
        One prompt, or a batch.
    settings
        Lengths, quota and temperature.
    fault
        A name of :data:`LOOP_FAULTS`; empty for none.
    seed
        Of what is drawn.

    Raises
    ------
    SettingError
        There is no such fault.
    PromptError
        From :func:`~dgemma_viz.tiny.tokenizer.encode_prompt`.
    """
    import torch

    if fault and fault not in LOOP_FAULTS:
        raise SettingError(f"there is no fault '{fault}' of this loop; choose from {', '.join(LOOP_FAULTS)}")
    length, block_length, temperature = settings.length, settings.block_length, settings.temperature
    inputs, mask = encode_prompt(tokenizer, prompts), tokenizer.mask_token_id
    prompt, attention = inputs["input_ids"], inputs["attention_mask"]
    rows, width = prompt.shape
    random = torch.Generator().manual_seed(seed)
    recorder = Recorder(
        tokenizer,
        prompt=[row[seen.bool()] for row, seen in zip(prompt, attention, strict=True)],
        mask_token_id=mask,
        sampler="LLaDA",
        seed=seed,
        settings={"quota": settings.quota, "order": "confidence", "temperature": temperature},
    )
    answer = torch.full((rows, length), mask)
    ended = torch.zeros(rows, dtype=torch.bool)
    for begin in range(0, length, block_length):
        block = slice(begin, min(begin + block_length, length))
        if fault == "row-used-again" and begin:
            answer[:, block] = answer[:, begin - block_length : begin][:, : block.stop - begin]
        first = True
        while first or (answer[:, block] == mask).any():
            x = torch.cat([prompt, answer[:, : block.stop]], dim=1)
            seen = torch.cat([attention, torch.ones(rows, block.stop, dtype=attention.dtype)], dim=1)
            if fault == "padding-seen":
                seen = torch.ones_like(seen)
            with torch.no_grad():
                raw = model(input_ids=x, attention_mask=seen).logits[:, width:][:, block].float()
            logits = raw / temperature if temperature else raw
            p = logits.softmax(-1)
            if temperature:
                candidate = torch.multinomial(p.flatten(0, 1), 1, generator=random).view(rows, -1)
            else:
                candidate = p.argmax(-1)
            probability = p.gather(2, candidate[..., None])[..., 0]
            before = answer[:, block].clone()
            masked = before == mask
            chosen = _surest(probability, masked, settings.quota)
            if fault == "block-start-first" and first:
                chosen = masked & (torch.arange(masked.shape[1]) == 0)
            answer[:, block] = torch.where(chosen, candidate, before)
            said = {"logits": logits}
            if fault == "two-distributions":
                said = {"logits": raw, "confidence": p.amax(-1), "candidate_probability": probability}
            recorder.step(noised=before, candidate=candidate, accepted=chosen, **said)
            first = False
        recorder.emit(answer[:, block])
        ended |= (answer[:, block] == tokenizer.eos_token_id).any(dim=1)
        if ended.all() and fault != "works-behind-end":
            break
    return recorder.trace


def _surest(probability: Any, masked: Any, quota: int) -> Any:
    """The surest masked positions of each row, as many as the quota says or as there are: bool ``(B, C)``."""
    import torch

    ranked = probability.masked_fill(~masked, -1.0).topk(min(quota, masked.shape[1]), dim=1).indices
    return torch.zeros_like(masked).scatter_(1, ranked, True) & masked
