"""Loops in the shapes that public code has, each of which notes what it decides; and tiny denoisers of random weights.

None is a copy: each does in a few lines what matters to one who only sees the passes. What each is like, and where the
like of it stands in public, is said beside it.
"""

from dataclasses import dataclass, field

import torch

MASK, PAD, EOS, VOCABULARY = 39, 0, 1, 40
NOWHERE = -float("inf")


class TinyDenoiser(torch.nn.Module):
    """One layer of attention in both directions, with a cache of tuples; positions behind a prefix may be written over.

    Its rows are sure enough of what they say for drafts to be told apart, and never say the mask.
    """

    def __init__(self, seed=0, shifted=False):
        super().__init__()
        state = torch.get_rng_state()
        torch.manual_seed(seed)
        self.embed = torch.nn.Embedding(VOCABULARY, 24)
        self.places = torch.nn.Embedding(256, 24)
        self.mix = torch.nn.Linear(24, 72)
        self.head = torch.nn.Linear(24, VOCABULARY)
        torch.set_rng_state(state)
        with torch.no_grad():
            self.head.weight.mul_(5)
            self.head.bias[MASK] = -1e4
        self.shifted = shifted
        self.eval()

    @property
    def device(self):
        return self.head.weight.device

    def forward(
        self,
        input_ids,
        attention_mask=None,
        position_ids=None,
        past_key_values=None,
        use_cache=False,
        replace_position=None,
    ):
        begin = 0 if past_key_values is None else past_key_values[0][0].shape[-2]
        if replace_position is not None:
            begin = int(replace_position[0].nonzero()[0])
        if position_ids is None:
            position_ids = begin + torch.arange(input_ids.shape[1]).expand(input_ids.shape)
        x = self.embed(input_ids) + self.places(position_ids)
        q, k, v = self.mix(x).chunk(3, dim=-1)
        if past_key_values is not None:
            (old_k, old_v) = (part[:, 0] for part in past_key_values[0])
            if replace_position is None:
                k, v = torch.cat([old_k, k], dim=1), torch.cat([old_v, v], dim=1)
            else:
                end = begin + input_ids.shape[1]
                k = torch.cat([old_k[:, :begin], k, old_k[:, end:]], dim=1)
                v = torch.cat([old_v[:, :begin], v, old_v[:, end:]], dim=1)
        scores = q @ k.transpose(1, 2) / 5
        if attention_mask is not None and attention_mask.ndim == 2:
            scores = scores.masked_fill(attention_mask[:, None, : k.shape[1]] == 0, NOWHERE)
        logits = self.head(torch.tanh(x + scores.softmax(-1) @ v))
        return Output(logits, [(k[:, None], v[:, None])] if use_cache else None)


@dataclass
class Output:
    logits: torch.Tensor
    past_key_values: object = None


@dataclass
class Notes:
    """What a loop says that it did: of each pass its first place, what it read, what it sampled and where it put it."""

    begin: list = field(default_factory=list)
    noised: list = field(default_factory=list)
    candidate: list = field(default_factory=list)
    put: list = field(default_factory=list)

    def take(self, begin, noised, candidate, put):
        self.begin.append(begin)
        self.noised.append(noised.clone())
        self.candidate.append(candidate.clone())
        self.put.append(put.clone())


def surest(logits, open_, count, temperature=0.0, at_random=False):
    """Candidates, and where the ``count`` surest of the open positions of each row are."""
    candidate = logits.argmax(-1)
    if temperature:
        noise = -torch.log(torch.rand_like(logits, dtype=torch.float64))
        candidate = (logits.double().exp() / noise**temperature).argmax(-1)
    sure = logits.softmax(-1).gather(-1, candidate[..., None])[..., 0]
    sure = (torch.rand_like(sure) if at_random else sure).masked_fill(~open_, NOWHERE)
    put = torch.zeros_like(open_)
    for row, mask in enumerate(open_):
        put[row, sure[row].topk(min(count, int(mask.sum()))).indices] = True
    return candidate, put


@torch.no_grad()
def llada(model, prompt, notes, *, length=12, block=12, a_step=2, mask_id=MASK, **how):
    """ML-GSAI/LLaDA ``generate.py``: whole sequences, blocks, guidance by a doubled batch; writes in place."""
    attention, scale = how.pop("attention_mask", None), how.pop("scale", 0.0)
    x = torch.full((len(prompt), prompt.shape[1] + length), mask_id)
    x[:, : prompt.shape[1]] = prompt
    if attention is not None:
        attention = torch.cat([attention, torch.ones(len(x), length, dtype=attention.dtype)], dim=1)
    given = x != mask_id
    for begin in range(prompt.shape[1], x.shape[1], block):
        inside = torch.arange(x.shape[1]) < begin + block
        while (x[:, begin : begin + block] == mask_id).any():
            if scale:
                both = torch.cat([x, x.masked_fill(given, mask_id)])
                mask = None if attention is None else attention.repeat(2, 1)
                told, untold = model(both, attention_mask=mask).logits.chunk(2)
                logits = untold + (scale + 1) * (told - untold)
            else:
                logits = model(x, attention_mask=attention).logits
            candidate, put = surest(logits, (x == mask_id) & inside, a_step, **how)
            notes.take(0, x, candidate, put)
            x[put] = candidate[put]
    return x


@torch.no_grad()
def infilled(model, x, notes, *, a_step=2, mask_id=MASK):
    """The same with masks wherever the text has them, in a tensor of its own for every pass."""
    while (x == mask_id).any():
        logits = model(x).logits
        candidate, put = surest(logits, x == mask_id, a_step)
        notes.take(0, x, candidate, put)
        x = torch.where(put, candidate, x)
    return x


class Dreamer(TinyDenoiser):
    """DreamLM/Dream ``generation_utils.py``: a method of the model, hooks, shifted logits, padding on the left."""

    @torch.no_grad()
    def diffusion_generate(self, inputs, notes, *, alg="origin", steps=6, length=12, attention_mask=None, edit=None):
        x = torch.nn.functional.pad(inputs, (0, length), value=MASK)
        places = None
        if attention_mask is not None:
            attention_mask = torch.nn.functional.pad(attention_mask, (0, length), value=1)
            places = (attention_mask.cumsum(-1) - 1).masked_fill(attention_mask == 0, 1)
        for step in range(steps):
            logits = self(x, attention_mask, places).logits
            logits = torch.cat([logits[:, :1], logits[:, :-1]], dim=1)
            open_, before = x == MASK, x.clone()
            p = logits.softmax(-1)
            candidate = p.argmax(-1)
            if alg == "origin":
                put = open_ & (torch.rand(x.shape) < 1 / (steps - step))
                candidate = torch.distributions.Categorical(logits=logits).sample()
            else:
                two = p.topk(2).values
                sure = {"maskgit_plus": two[..., 0], "topk_margin": two[..., 0] - two[..., 1]}.get(alg)
                sure = (p * (p + 1e-10).log()).sum(-1) if sure is None else sure
                count = max(1, int(open_.sum()) // len(x) // (steps - step))
                chosen = sure.masked_fill(~open_, NOWHERE).topk(count).indices
                put = torch.zeros_like(open_).scatter(1, chosen, True) & open_
            x[put] = candidate[put]
            if edit is not None:
                x = edit(step, x)
                candidate = torch.where(x != before, x, candidate)
            notes.take(0, before, candidate, (x != before) & (x != MASK))
        return x
