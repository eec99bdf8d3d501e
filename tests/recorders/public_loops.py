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


# -- a cache: only the block is passed --------------------------------------------------------------------------------


class Blockwise(TinyDenoiser):
    """JetAstra/SDAR: the model stores what it read only where it is told to; a cache object, positions given."""

    def forward(self, input_ids, position_ids=None, past_key_values=None, store_kv=False):
        held = past_key_values.get_seq_length()
        layer = past_key_values.layers[0] if held else None
        old = [(layer.keys, layer.values)] if held else None
        output = super().forward(input_ids, None, position_ids, old, use_cache=True)
        if store_kv:
            k, v = (part[:, :, held:] for part in output.past_key_values[0])
            past_key_values.update(k, v, 0)
        return {"logits": output.logits}


@torch.no_grad()
def sdar(model, prompt, notes, cache, *, length=14, block=4, a_step=2):
    """JetAstra/SDAR ``generate.py``: blocks counted from the start of the prompt, the first one begins inside it."""
    end = -(-(prompt.shape[1] + length) // block) * block
    x = torch.nn.functional.pad(prompt, (0, end - prompt.shape[1]), value=MASK)
    places = torch.arange(end).expand(x.shape)
    stored = prompt.shape[1] // block * block
    model(x[:, :stored], places[:, :stored], cache, store_kv=True)
    for begin in range(stored, end, block):
        span = slice(begin, begin + block)
        part = x[:, span].clone()
        while (part == MASK).any():
            logits = model(part, places[:, span], cache)["logits"]
            candidate, put = surest(logits, part == MASK, a_step)
            notes.take(begin, part, candidate, put)
            part[put] = candidate[put]
        model(part, places[:, span], cache, store_kv=True)
        x[:, span] = part
    return x


@torch.no_grad()
def fast_dllm(model, prompt, notes, *, dual, length=16, block=8, threshold=0.6):
    """NVlabs/Fast-dLLM, first version: whole passes that fill a cache, then the rest of the sequence, or the block."""
    x = torch.nn.functional.pad(prompt, (0, length), value=MASK)
    for begin in range(prompt.shape[1], x.shape[1], block):
        span, inside = slice(begin, begin + block), torch.arange(x.shape[1])
        inside = (inside >= begin) & (inside < begin + block)
        output = model(x, use_cache=True)
        cache, seen, logits = output.past_key_values, slice(None), output.logits
        if not dual:
            cache = [tuple(part[:, :, :begin] for part in layer) for layer in cache]
        while True:
            open_ = (x == MASK)[:, seen] & inside[seen]
            candidate = logits.argmax(-1)
            sure = logits.softmax(-1).amax(-1).masked_fill(~open_, NOWHERE)
            put = (sure > threshold) | torch.zeros_like(open_).scatter(1, sure.argmax(-1, keepdim=True), True) & open_
            notes.take(seen.start or 0, x[:, seen], candidate, put)
            x[:, seen][put] = candidate[put]
            if not (x[:, span] == MASK).any():
                break
            seen = span if dual else slice(begin, None)
            replaced = {"replace_position": inside.expand(x.shape)} if dual else {}
            logits = model(x[:, seen], past_key_values=cache, use_cache=True, **replaced).logits
    return x, 0


@torch.no_grad()
def small_blocks(model, prompt, notes, cache, *, blocks=2, block=8, small=4):
    """Fast-dLLM, second version: shifted logits; the pass that stores a block gives the first token of the next."""
    stored = prompt.shape[1] // block * block
    model(prompt[:, :stored], None, cache, store_kv=True)
    x = prompt
    for _ in range(blocks):
        begin = x.shape[1] // block * block
        x = torch.nn.functional.pad(x, (0, begin + block - x.shape[1]), value=MASK)
        for first in range(0, block, small):
            while (x[:, begin + first : begin + first + small] == MASK).any():
                logits = model(x[:, begin:], None, cache)["logits"]
                logits = torch.cat([logits[:, :1], logits[:, :-1]], dim=1)
                inside = (torch.arange(block) >= first) & (torch.arange(block) < first + small)
                candidate, put = surest(logits, (x[:, begin:] == MASK) & inside, 1)
                notes.take(begin, x[:, begin:], candidate, put)
                x[:, begin:][put] = candidate[put]
        following = model(x[:, begin:], None, cache, store_kv=True)["logits"][:, -1:].argmax(-1)
        x = torch.cat([x, following], dim=1)
    return x


@torch.no_grad()
def in_windows(model, prompt, notes, *, length=12, block=4, a_step=2):
    """inclusionAI/LLaDA2 remote code: no cache, a window that grows by a block; cut behind the end."""
    x = torch.nn.functional.pad(prompt, (0, length), value=MASK)
    for end in range(prompt.shape[1] + block, x.shape[1] + 1, block):
        window = x[:, :end]
        while (window == MASK).any():
            logits = model(window).logits
            candidate, put = surest(logits, window == MASK, a_step)
            notes.take(0, window, candidate, put)
            window[put] = candidate[put]
    return x[:, prompt.shape[1] : -3].clone()


@torch.no_grad()
def ddpm(model, notes, *, rows=2, length=10, steps=6):
    """kuleshov-group/mdlm: no prompt, each mask falls by chance, and a last pass takes what is most probable."""
    x = torch.full((rows, length), MASK)
    for step in range(steps):
        candidate = torch.distributions.Categorical(logits=model(x).logits).sample()
        put = (x == MASK) & (torch.rand(x.shape) < 1 / (steps + 1 - step))
        notes.take(0, x, candidate, put)
        x = torch.where(put, candidate, x)
    candidate = model(x).logits.argmax(-1)
    notes.take(0, x, candidate, x == MASK)
    return torch.where(x == MASK, candidate, x)


@torch.no_grad()
def uniform(model, prompt, notes, *, length=12, steps=6):
    """Noise that is any token: the surest stand, all others are drawn anew."""
    canvas = torch.randint(5, MASK, (len(prompt), length))
    for step in range(steps):
        logits = model(torch.cat([prompt, canvas], dim=1)).logits[:, -length:]
        candidate, put = surest(logits, torch.ones_like(canvas, dtype=torch.bool), length * (step + 1) // steps)
        notes.take(prompt.shape[1], canvas, candidate, put)
        canvas = torch.where(put, candidate, torch.randint(5, MASK, canvas.shape))
    return torch.cat([prompt, canvas], dim=1)


@torch.no_grad()
def inserting(model, prompt, *, steps=3):
    """Puts a token in front of the first mask in every pass, so that all behind it move."""
    x = torch.nn.functional.pad(prompt, (0, 6), value=MASK)
    x[:, -3:] = torch.tensor([11, 12, 13])
    for _ in range(steps):
        at = int((x[0] == MASK).nonzero()[0])
        token = model(x).logits[:, at : at + 1].argmax(-1)
        x = torch.cat([x[:, :at], token, x[:, at:]], dim=1)
    return x
