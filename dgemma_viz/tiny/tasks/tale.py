"""Micro-stories to invent: two people, a thing and a place each, and an end that must agree with the beginning."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import permutations, product
from typing import ClassVar, NamedTuple

import numpy as np

from dgemma_viz.errors import PromptError
from dgemma_viz.tiny.tasks.task import Example, Task
from dgemma_viz.tiny.vocabulary import COLOURS, NAMES, PLACES, THINGS

_NAME = "|".join(NAMES)
_COLOUR, _THING, _PLACE = "|".join(COLOURS), "|".join(THINGS), "|".join(PLACES)
_WISH = rf"(?: ({_COLOUR}|{_THING}|{_PLACE}))?"
_PROMPT = re.compile(rf"tale ({_NAME}){_WISH} ({_NAME}){_WISH}:")
_HAS = re.compile(rf" ({_NAME}) has a ({_COLOUR}) ({_THING})\.")
_IS_IN = re.compile(rf" ({_NAME}) is in the ({_PLACE})\.")
_END = re.compile(rf" (?:({_NAME}) has the ({_COLOUR}) ({_THING})|The ({_COLOUR}) ({_THING}) is) in the ({_PLACE})\.")
_BEGINNING = 4
_SHARE_WITH_WISH = 0.4


class _Person(NamedTuple):
    """What a story says about a person."""

    name: str
    colour: str
    thing: str
    place: str

    def beginning(self) -> tuple[str, str]:
        return f" {self.name} has a {self.colour} {self.thing}.", f" {self.name} is in the {self.place}."

    def end(self, *, of_the_thing: bool) -> str:
        thing = f"{self.colour} {self.thing}"
        what = f"The {thing} is" if of_the_thing else f"{self.name} has the {thing}"
        return f" {what} in the {self.place}."

    def has(self, wish: str | None) -> bool:
        return wish is None or wish in (self.colour, self.thing, self.place)


def _people(story: str) -> list[_Person]:
    """Read a story; the people in no particular order, or none if its form or its end is wrong."""
    sentences = re.findall(r"[^.]*\.", story)
    if "".join(sentences) != story or len(sentences) != _BEGINNING + 2:
        return []
    has = {m[1]: (m[2], m[3]) for sentence in sentences[:_BEGINNING] if (m := _HAS.fullmatch(sentence))}
    is_in = {m[1]: m[2] for sentence in sentences[:_BEGINNING] if (m := _IS_IN.fullmatch(sentence))}
    people = [_Person(name, *has[name], is_in[name]) for name in has if name in is_in]
    ends = {person: {person.end(of_the_thing=way) for way in (True, False)} for person in people}
    order = [[person for person in people if sentence in ends[person]] for sentence in sentences[_BEGINNING:]]
    different = len({person.thing for person in people}) == len(people) == 2  # noqa: PLR2004
    return people if different and order in ([[people[0]], [people[1]]], [[people[1]], [people[0]]]) else []


def _tellings(people: list[_Person]) -> Iterator[str]:
    """Every story about these people: any order of the beginning and of the end, either form of each end."""
    for beginning in permutations([sentence for person in people for sentence in person.beginning()]):
        for order, ways in product(permutations(people), product((True, False), repeat=2)):
            yield "".join(beginning) + "".join(p.end(of_the_thing=w) for p, w in zip(order, ways, strict=True))


def _draw_people(rng: np.random.Generator) -> list[_Person]:
    names, things = rng.choice(NAMES, 2, replace=False), rng.choice(THINGS, 2, replace=False)
    return [
        _Person(str(name), str(rng.choice(COLOURS)), str(thing), str(rng.choice(PLACES)))
        for name, thing in zip(names, things, strict=True)
    ]


def _ask_for(people: list[_Person], rng: np.random.Generator) -> str:
    """A prompt that names the people, and of some of them a word that the story must have."""
    asked = [f"{p.name} {p[rng.integers(1, 4)]}" if rng.random() < _SHARE_WITH_WISH else p.name for p in people]
    return f"tale {' '.join(asked)}:"


class Tale(Task):
    """Invent who has what and where they are, then say it again."""

    name: ClassVar[str] = "tale"
    title: ClassVar[str] = "A story to invent"
    description: ClassVar[str] = (
        "Invent a thing and a place for two people, then say where each thing is: the end must fit the beginning."
    )
    example_prompts: ClassVar[tuple[str, ...]] = ("tale Tom Mia:", "tale Ann kite Ben:", "tale Eva park Sam gold:")

    def sample(self, rng: np.random.Generator) -> Example:
        """Draw two people with different things, told one after the other, and words that the prompt asks for."""
        people = _draw_people(rng)
        beginning = [sentence for person in people for sentence in person.beginning()]
        end = [person.end(of_the_thing=True) for person in people]
        return Example(_ask_for(people, rng), "".join([*beginning, *end]))

    def validate_prompt(self, prompt: str) -> None:
        """Want two different names, each perhaps with a colour, a thing or a place."""
        match = _PROMPT.fullmatch(prompt)
        if match is None or match[1] == match[3]:
            raise PromptError(
                f"Not a prompt for a story to invent: {prompt!r}. Write 'tale', two different names, after each "
                f"perhaps one colour, thing or place, and ':', such as {self.example_prompts[1]!r}."
            )
        if match[2] == match[4] and match[2] in THINGS:
            raise PromptError(f"Both people of {prompt!r} get the {match[2]}. Ask for different things.")

    def solve(self, prompt: str, completion: str = "") -> str:
        """The telling that has most words in common with the completion, of facts that the completion states first."""
        match = _PROMPT.fullmatch(prompt)
        if match is None or self.check(prompt, completion):
            return completion
        has = {m[1]: (m[2], m[3]) for m in reversed(list(_HAS.finditer(completion)))}
        is_in = {m[1]: m[2] for m in reversed(list(_IS_IN.finditer(completion)))}
        people: list[_Person] = []
        taken = {wish for wish in (match[2], match[4]) if wish in THINGS}
        for name, wish in ((match[1], match[2]), (match[3], match[4])):
            colour, thing = has.get(name, (COLOURS[0], THINGS[0]))
            place = is_in.get(name, PLACES[0])
            colour, place = (wish if wish in COLOURS else colour), (wish if wish in PLACES else place)
            if wish in THINGS:
                thing = wish
            elif thing in taken:
                thing = next(other for other in THINGS if other not in taken)
            taken.add(thing)
            people.append(_Person(name, colour, thing, place))
        words = completion.split(" ")
        return max(_tellings(people), key=lambda s: sum(a == b for a, b in zip(s.split(" "), words, strict=False)))

    def check(self, prompt: str, completion: str) -> bool:
        """Accept every story of the form that keeps what was asked for and whose end repeats its beginning."""
        match = _PROMPT.fullmatch(prompt)
        people = {person.name: person for person in _people(completion)}
        return (
            match is not None
            and set(people) == {match[1], match[3]}
            and people[match[1]].has(match[2])
            and people[match[3]].has(match[4])
        )


class TaleInAnyOrder(Tale):
    """The same, told in any order and with either form of the end: taught in the first round, and not learned."""

    def sample(self, rng: np.random.Generator) -> Example:
        """Draw two people with different things, a telling, and for some people a word that the prompt asks for."""
        people = _draw_people(rng)
        beginning = rng.permutation([sentence for person in people for sentence in person.beginning()])
        order = rng.permutation(2)
        end = [people[i].end(of_the_thing=bool(rng.integers(2))) for i in order]
        return Example(_ask_for(people, rng), "".join([*beginning, *end]))
