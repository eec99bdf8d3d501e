"""The words of this project, once: what widgets explain, the pages list and the guide repeats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Word:
    """One entry.

    Attributes
    ----------
    name
        As it is written on screen; words that are explained together are separated by a comma.
    meaning
        One sentence, plain text.
    source, address
        Where it comes from or is studied: a paper's authors and year, and its address. Empty for plain words.
    """

    name: str
    meaning: str
    source: str = ""
    address: str = ""


WORDS: Final = (
    Word("canvas", "the block of tokens denoised together (256 in the released model, 48 in the bundled one)"),
    Word("denoising step", "one decoder pass over the canvas, counted from 0 in the order it ran"),
    Word(
        "noised canvas",
        "the token ids that a step reads",
        "Austin et al. 2021",
        "https://arxiv.org/abs/2107.03006",
    ),
    Word("candidate, draft", "the token sampled at a position in a step; the argmax token"),
    Word("accepted, re-noised", "put into the canvas, or replaced by a random token, after a step"),
    Word(
        "masked, unmasked",
        "the same for models with a mask token",
        "Nie et al. 2025",
        "https://arxiv.org/abs/2502.09992",
    ),
    Word(
        "kept, edited, corrected",
        "a token of an earlier step was left; was replaced by this step's candidate; "
        "was resampled by a corrector sweep",
    ),
    Word(
        "given, clamped, banned",
        "the caller gave the token that the first step read; a logits processor left one token, whose confidence is "
        "not the model's; or it ruled out the token that the model would have put there",
    ),
    Word("taken back", "accepted at an earlier step and re-noised at this one"),
    Word("noise ratio", "fraction of positions re-noised after a step"),
    Word(
        "confidence",
        "probability of the draft under the distribution that the sampler used (after temperature)",
        "Guo et al. 2017, on how far to trust it",
        "https://arxiv.org/abs/1706.04599",
    ),
    Word("entropy", "of that distribution, in nats: 0 is certain, ln n stands for n equally likely tokens"),
    Word(
        "entropy bound",
        "a step accepts the surest positions while the entropies of those before them sum to no more than this",
        "Ben-Hamu et al. 2025",
        "https://arxiv.org/abs/2505.24857",
    ),
    Word("temperature", "what the logits are divided by before anything is drawn; it falls from step to step"),
    Word(
        "self-conditioning",
        "each step also gets the probabilities of the step before",
        "Chen et al. 2022",
        "https://arxiv.org/abs/2208.04202",
    ),
    Word("emitted token", "what ends up in the output"),
    Word("commit step", "first step from which a position's draft no longer changes"),
    Word("flip", "a change of draft between consecutive steps"),
    Word("tokens per forward", "emitted tokens / decoder passes"),
    Word(
        "channel", "a part of the output between two tokens of markup, with a name of its own, such as one for thinking"
    ),
    Word(
        "share of the work",
        "of all decoder passes, those that went into a part of the output, "
        "each divided evenly among the tokens of the output in its canvas",
    ),
)

_BY_NAME: Final = {name: word for word in WORDS for name in (word.name, *word.name.split(", "))}


def explain(name: str) -> Word:
    """The entry of a word, also where the entry explains several.

    Raises
    ------
    KeyError
        There is none.
    """
    return _BY_NAME[name]
