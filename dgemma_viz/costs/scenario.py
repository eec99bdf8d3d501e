"""One situation on real hardware: who asks for what on which device, and what the three ways of decoding make of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from dgemma_viz.costs.acceptance import Acceptance, known_acceptance
from dgemma_viz.costs.calibration import CALIBRATED, COMPUTE_RANGE
from dgemma_viz.costs.first_token import prefill_pass
from dgemma_viz.costs.hardware import Hardware
from dgemma_viz.costs.memory import most_users
from dgemma_viz.costs.passes import Pass, canvas_pass, decode_pass, verify_pass
from dgemma_viz.costs.roofline import Efficiency, step_time
from dgemma_viz.costs.shape import ModelShape
from dgemma_viz.costs.speeds import Speed, autoregressive, break_even, diffusion, drafting
from dgemma_viz.costs.weight_format import WeightFormat
from dgemma_viz.range_check import checked_range

WayName = Literal["autoregressive", "drafting", "diffusion"]
WAY_NAMES: Final[tuple[WayName, ...]] = ("autoregressive", "drafting", "diffusion")
BATCHES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)
"""At which throughput is drawn, as far as memory goes."""
_MOST_USERS = 4096


@dataclass(frozen=True)
class Scenario:
    """Everything that the speeds depend on; all numbers are checked when it is made.

    Attributes
    ----------
    shape, weights, hardware
        Model, its format, the device.
    batch
        Users at once.
    prompt, answer
        Tokens of each.
    steps
        Denoising steps of a canvas.
    acceptance, draft_milliseconds
        Of the drafted tokens, and the time to draft one. Four that are each accepted with 0.8, given those before, are
        what vLLM's figures were made with (synthetic).
    efficiencies
        By way of decoding; see :data:`~dgemma_viz.costs.calibration.CALIBRATED`.

    Raises
    ------
    SettingError
        On construction: a number is impossible, or the model does not fit into the device's memory decoding token by
        token. Diffusion takes more for each user: see :meth:`fits`.
    """

    shape: ModelShape
    weights: WeightFormat
    hardware: Hardware
    batch: int = 1
    prompt: int = 1024
    answer: int = 256
    steps: float = 16
    acceptance: Acceptance = Acceptance.constant(0.8, 4)  # noqa: RUF009 - frozen
    draft_milliseconds: float = 0.0
    efficiencies: Mapping[str, Efficiency] = field(default_factory=lambda: CALIBRATED)

    def __post_init__(self) -> None:
        checked_range("a batch", self.batch, 1, whole=True)
        checked_range("a prompt", self.prompt, 1, whole=True)
        checked_range("an answer", self.answer, 1, whole=True)
        checked_range("steps", self.steps, ends="(]")
        known_acceptance(self.acceptance)
        checked_range("the time of a draft", self.draft_milliseconds)
        self.speed("autoregressive")  # refuses what does not fit

    @property
    def context(self) -> float:
        """Tokens in the cache, on average over the answer."""
        return self.prompt + self.answer / 2

    def speed(self, way: WayName, *, padded: bool = True) -> Speed:
        """How fast a way writes, prompt not counted.

        Parameters
        ----------
        padded
            For diffusion: count only the tokens of the answer, of the canvases that it takes. False: count whole
            canvases.
        """
        efficiency = self.efficiencies[way]
        given = (self.shape, self.weights, self.hardware, efficiency)
        if way == "autoregressive":
            return autoregressive(*given, batch=self.batch, context=self.context)
        if way == "drafting":
            return drafting(
                *given,
                self.acceptance,
                draft_milliseconds=self.draft_milliseconds,
                batch=self.batch,
                context=self.context,
            )
        canvases = -(-self.answer // self.shape.canvas)
        useful = self.answer / canvases if padded else None
        return diffusion(*given, steps=self.steps, batch=self.batch, context=self.context, useful=useful)

    def one_pass(self, way: WayName) -> Pass:
        """What one pass of a way reads and computes."""
        given = (self.shape, self.weights)
        if way == "autoregressive":
            return decode_pass(*given, batch=self.batch, context=self.context)
        if way == "drafting":
            return verify_pass(*given, drafted=self.acceptance.drafted, batch=self.batch, context=self.context)
        return canvas_pass(*given, batch=self.batch, context=self.context)

    def prefill_milliseconds(self) -> float:
        """Time in which the prompts are read; every way reads them once, with the same weights."""
        one = prefill_pass(self.shape, self.weights, prompt=self.prompt, batch=self.batch)
        return step_time(one, self.hardware, self.weights, self.efficiencies["autoregressive"]).total

    def first_token_milliseconds(self, way: WayName) -> float:
        """Time until a first token can be read: of diffusion, until its first canvas is whole."""
        waits = self.speed(way).milliseconds_per_unit if way == "diffusion" else 0.0
        return self.prefill_milliseconds() + waits

    def answer_milliseconds(self, way: WayName) -> float:
        """Time until the whole answer is there, prompt included."""
        return self.prefill_milliseconds() + self.speed(way).milliseconds_for(self.answer)

    def break_even_length(self, against: WayName = "autoregressive") -> float:
        """Tokens from which on one canvas of diffusion is faster; above the canvas's length: never in one canvas."""
        return break_even(self.speed("diffusion", padded=False), self.speed(against))

    def faster_from(self, against: WayName = "autoregressive") -> int | None:
        """Tokens of the shortest answer that one canvas of diffusion writes sooner; None if none that fits into one.

        :meth:`break_even_length` in whole tokens, where a draft that is verified is paid whole as well.
        """
        canvas, other = self.speed("diffusion", padded=False).milliseconds_per_unit, self.speed(against)
        lengths = range(1, self.shape.canvas + 1)
        return next((tokens for tokens in lengths if canvas < other.milliseconds_for(tokens)), None)

    def most_users(self, way: WayName = "diffusion") -> int:
        """Users whose caches and, for diffusion, canvas buffers the device's memory holds; at most 4096 are looked at.

        An upper limit: see :mod:`dgemma_viz.costs.memory`.
        """
        found = most_users(self.shape, self.weights, self.hardware, context=self.context, canvas=way == "diffusion")
        return _MOST_USERS if found is None else min(found, _MOST_USERS)

    def fits(self, way: WayName) -> bool:
        """Whether the device's memory holds all users."""
        return self.batch <= self.most_users(way)

    def with_compute(self, share: float) -> Scenario:
        """The same with another share of the peak of the compute units, in all ways."""
        efficiencies = {way: replace(one, compute=share) for way, one in self.efficiencies.items()}
        return replace(self, efficiencies=efficiencies)

    def crossover(self, against: WayName = "autoregressive") -> int | None:
        """Users from which on another way serves more tokens a second than diffusion.

        None where it does not up to what the device's memory holds (:meth:`most_users`).
        """
        most = min(self.most_users("diffusion"), self.most_users(against))
        for users in range(1, most + 1):
            here = replace(self, batch=users)
            if here.speed(against).tokens_per_second > here.speed("diffusion").tokens_per_second:
                return users
        return None

    def crossover_range(
        self, against: WayName = "autoregressive", shares: tuple[float, float] = COMPUTE_RANGE
    ) -> tuple[int | None, int | None]:
        """:meth:`crossover` with the lowest and the highest share of compute that is thought possible."""
        low, high = (self.with_compute(share).crossover(against) for share in shares)
        return low, high

    def batch_range(
        self, shares: tuple[float, float] = COMPUTE_RANGE
    ) -> tuple[dict[WayName, list[Speed]], dict[WayName, list[Speed]]]:
        """:meth:`by_batch` with the lowest and the highest share of compute that is thought possible."""
        low, high = (self.by_batch(share) for share in shares)
        return low, high

    def by_batch(self, compute: float | None = None) -> dict[WayName, list[Speed]]:
        """Speeds of all ways for :data:`BATCHES`, each way up to the users that the device's memory holds.

        Where that is fewer than the largest of them, it is among the batches.

        Parameters
        ----------
        compute
            Share of the peak of the compute units; None for that of the scenario.
        """
        here = self if compute is None else self.with_compute(compute)
        most = {way: here.most_users(way) for way in WAY_NAMES}
        sizes = sorted({*BATCHES, *(users for users in most.values() if 0 < users < BATCHES[-1])})
        return {
            way: [replace(here, batch=users).speed(way) for users in sizes if users <= most[way]] for way in WAY_NAMES
        }
