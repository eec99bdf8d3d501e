"""A run that writes real text: prose, code, a table, Japanese, Arabic, emoji of several code points, and thinking.

Its vocabulary is cut like one of a byte-level tokenizer: words with their leading space, runs of spaces, and characters
that are rare in it as single bytes. What a step drafts goes from frequent words to the text, as a real run does.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from dgemma_viz.plain_text import from_bytes
from tests.synthetic import synthetic_trace

if TYPE_CHECKING:
    from dgemma_viz.trace.model import Trace

PAD, END, TURN, TURN_END, CHANNEL, CHANNEL_END = "<pad>", "<eos>", "<|turn>", "<turn|>", "<|channel>", "<channel|>"
SPECIAL = (PAD, END, TURN, TURN_END, CHANNEL, CHANNEL_END)
THOUGHT = "thought\nThe user wants a function, a table and two languages. A Counter does it.\n"
PROMPT = "Count the words of a text in Python, show a table, and say it in Japanese and Arabic. 日本語でも。"
FAMILY = "👨\u200d👩\u200d👧\u200d👦"
TEXT = f'''Here is a small function that counts words, and a table of what it gives.

```python
from collections import Counter

def count_words(text: str, top: int = 3) -> list[tuple[str, int]]:
    """The most frequent words of a text, most frequent first."""
    words = (word.strip(".,;:!?").lower() for word in text.split())
    return Counter(filter(None, words)).most_common(top)

if __name__ == "__main__":
    print(count_words("The cat saw the dog, and the dog saw the cat."))
```

| word | count | share |
| :--- | ----: | ----: |
| the  |     4 |  36 % |
| cat  |     2 |  18 % |
| saw  |     2 |  18 % |

**日本語**: この関数は文章の中の単語を数えます。「猫」という言葉は二回出てきます。麤という難しい漢字もあります。

العربية: تحسب هذه الدالة عدد الكلمات في النص، وتعرض الكلمات الأكثر تكرارا أولا. القيمة 42 في الوسط.

Emoji: a family {FAMILY}, a flag 🇯🇵, a waving hand 👋🏽, a rainbow flag 🏳️\u200d🌈 and a heart ❤️.

1. First, the text is split at white space.
2. Then punctuation is stripped from both ends.
   - Empty words are dropped.
   - The rest is counted.

That is all there is to it. If you want to count characters instead, iterate over the text itself; if you want to keep
the case, leave out `lower()`.
'''
_PIECES = re.compile(r"<\|?\w+\|?>| ?[A-Za-z]{1,9}| ?[\u0600-\u06ff]{1,4}|\d| +|\n+|[^\S\n ]|.", re.DOTALL)
_RARE = re.compile("[\u9ea0-\u9fff\u200d\ufe0f\U0001f000-\U0001ffff]")


def pieces_of(text: str) -> list[str]:
    """The text cut into tokens; parts of a character as ``surrogateescape`` has them."""
    found: list[str] = []
    for piece in _PIECES.findall(text):
        if piece in SPECIAL or not _RARE.search(piece):
            found.append(piece)
        else:
            data = piece.encode()
            found += [from_bytes(data[:2]), *(from_bytes(data[n : n + 1]) for n in range(2, len(data)))]
    return found


def real_trace(
    text: str = TEXT, *, length: int = 256, steps: int = 12, prompt: str = PROMPT, thought: str = THOUGHT, seed: int = 0
) -> Trace:
    """A run of one sample that wrote this text, over as many canvases of ``length`` as it takes.

    The prompt is a turn; what the model thinks goes before the text in a channel, unless ``thought`` is empty.
    """
    rng = np.random.default_rng(seed)
    thinking = f"{CHANNEL}{thought}{CHANNEL_END}" if thought else ""
    answer = [*pieces_of(f"{thinking}{text}"), TURN_END]
    asked = pieces_of(f"{TURN}user\n{prompt}{TURN_END}\n{TURN}model\n")
    known = [*SPECIAL, *sorted({*answer, *asked} - set(SPECIAL))]
    ids_of = {piece: token for token, piece in enumerate(known)}
    target = np.array([ids_of[piece] for piece in answer])
    canvases = -(-len(target) // length)
    target = np.pad(target, (0, canvases * length - len(target)), constant_values=ids_of[END]).reshape(canvases, length)
    taken = rng.integers(steps // 2 + 1, steps + 1, canvases)  # steps of each canvas
    base = synthetic_trace(canvases=canvases, length=length, steps=taken[:, None].tolist(), texts=known, seed=seed)

    def noise(*shape: int) -> np.ndarray:
        return rng.integers(len(SPECIAL), len(known), shape)

    turn = rng.uniform(0, steps - 3, target.shape) * np.linspace(0.4, 1, length)
    time = np.arange(steps)[:, None, None] * (steps / taken)[:, None] + rng.normal(0, 0.7, (steps, *turn.shape))
    sure = 1 / (1 + np.exp(-1.5 * (time - turn)))
    best = np.minimum(0.05 + 0.95 * sure, 1 - 1e-6).swapaxes(0, 1)  # (canvases, steps, length)
    draft = np.where(best > 0.4, target[:, None], noise(canvases, steps, length))
    draft[np.arange(canvases), taken - 1] = target
    # Probabilities of a geometric series, the best of which is the draft's.
    entropy = (-np.log(best) - (1 - best) / best * np.log1p(-best)).astype(np.float32)
    alternatives = np.stack([draft, *noise(3, canvases, steps, length)], axis=-1)
    probabilities = best[..., None] * (1 - best[..., None]) ** np.arange(4)
    drawn = np.minimum((rng.random(best.shape)[..., None] > probabilities.cumsum(-1)).sum(-1), 3)[..., None]
    candidate = np.take_along_axis(alternatives, drawn, -1)[..., 0]
    order = entropy.argsort(-1)
    ordered = np.take_along_axis(entropy, order, -1)
    accepted = np.zeros(best.shape, dtype=bool)
    np.put_along_axis(accepted, order, ordered.cumsum(-1) - ordered <= 0.1, -1)
    canvas = np.where(accepted, candidate, noise(canvases, steps, length))
    noised = np.concatenate([noise(canvases, 1, length), canvas[:, :-1]], axis=1)
    spent = np.where(accepted, entropy, 0)
    ran = np.arange(steps) < taken[:, None]

    def flat(array: np.ndarray) -> np.ndarray:
        return array[ran][:, None]

    arrays = {
        "noised": flat(noised),
        "draft": flat(draft),
        "candidate": flat(candidate),
        "accepted": flat(accepted),
        "decision": None,
        "entropy": flat(entropy),
        "entropy_spent": flat(spent.sum(-1) - spent.max(-1)),
        "mean_entropy": flat(entropy.mean(-1)),
        "confidence": flat(best),
        "candidate_probability": flat(np.take_along_axis(probabilities, drawn, -1)[..., 0]),
        "top_k_ids": flat(alternatives),
        "top_k_probabilities": flat(probabilities),
        "emitted": target[:, None],
        "prompt": np.array([[ids_of[piece] for piece in asked]]),
        "prompt_mask": np.ones((1, len(asked)), dtype=bool),
    }
    ends = (ids_of[END], ids_of[TURN_END])
    facts = replace(base.facts, seed=seed, eos_token_ids=ends, task={"prompt": prompt})
    return replace(base, **arrays, facts=facts)
