"""Micro-stories of two to six sentences, and questions about them whose answers are 1 to 36 tokens long."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dgemma_viz.errors import PromptError
from dgemma_viz.tiny.tasks.task import Example, Task, is_held_out
from dgemma_viz.tiny.vocabulary import COLOURS, NAMES, PLACES, THINGS

_HAS = re.compile(rf"({'|'.join(NAMES)}) has a ({'|'.join(COLOURS)}) ({'|'.join(THINGS)})\.")
_IS_IN = re.compile(rf"({'|'.join(NAMES)}) is in the ({'|'.join(PLACES)})\.")
_PROMPT = re.compile(r"story((?: [A-Z][a-z ]+\.)+?) ((?:Who|What|Where|Tell)[A-Za-z ]+[?.])")
_MOST_PEOPLE, _MOST_SENTENCES = 3, 6


@dataclass(frozen=True, slots=True)
class _Story:
    """A parsed story: its sentences in order and the facts they state, by person."""

    sentences: tuple[str, ...]
    colour_and_thing: dict[str, tuple[str, str]]
    place: dict[str, str]

    @classmethod
    def parse(cls, text: str) -> _Story:
        sentences = tuple(f"{part}." for part in text.strip().rstrip(".").split(". "))
        colour_and_thing, place = {}, {}
        for sentence in sentences:
            has, is_in = _HAS.fullmatch(sentence), _IS_IN.fullmatch(sentence)
            if has is not None and has[1] not in colour_and_thing:
                colour_and_thing[has[1]] = (has[2], has[3])
            elif is_in is not None and is_in[1] not in place:
                place[is_in[1]] = is_in[2]
            else:
                raise PromptError(
                    f"The story cannot hold the sentence {sentence!r}: write '<name> has a <colour> <thing>.' or "
                    "'<name> is in the <place>.', each at most once for a person."
                )
        return cls(sentences, colour_and_thing, place)

    def answers(self) -> dict[str, str]:
        """Every question that this story answers, with its answer."""
        found = {"Tell it again.": " ".join(self.sentences), "Tell it backwards.": " ".join(reversed(self.sentences))}
        for name, (colour, thing) in self.colour_and_thing.items():
            found[f"Who has the {thing}?"] = name
            found[f"What colour is the {thing}?"] = colour
            found[f"What does {name} have?"] = f"a {colour} {thing}"
        for name, place in self.place.items():
            found[f"Who is in the {place}?"] = name
            found[f"Where is {name}?"] = f"in the {place}"
        for name in {**self.colour_and_thing, **self.place}:
            found[f"Tell me about {name}."] = " ".join(part for part in self.sentences if part.startswith(f"{name} "))
        return found

    def cues(self) -> dict[str, str]:
        """Every question whose answer is a word or ends in one, shortened to what it asks, by, and that word."""
        found = {}
        for name, (colour, thing) in self.colour_and_thing.items():
            found[f"Who has the {thing}?"] = f" Who {thing} {name}"
            found[f"What colour is the {thing}?"] = f" colour {thing} {colour}"
            found[f"What does {name} have?"] = f" What {name} {thing}"
        for name, place in self.place.items():
            found[f"Who is in the {place}?"] = f" Who {place} {name}"
            found[f"Where is {name}?"] = f" Where {name} {place}"
        return found


class Story(Task):
    """Answer a question about a short story; the answer is a word, a phrase, or the story retold."""

    name: ClassVar[str] = "story"
    title: ClassVar[str] = "Micro-stories"
    description: ClassVar[str] = "Read a few sentences, then answer a question about them or tell them again."
    example_prompts: ClassVar[tuple[str, ...]] = (
        "story Ben has a green hat. Sam is in the school. Ben is in the kitchen. Who is in the kitchen?",
        "story Mia is in the garden. Sam is in the barn. Mia has a gold hat. Sam has a white doll. Tell me about Sam.",
        "story Mia has a red boat. Tom is in the station. Tom has a red lamp. Tell it again.",
    )

    def sample(self, rng: np.random.Generator) -> Example:
        """Draw two or three people, one or two facts about each in any order, and one question."""
        story = self._draw_story(rng)
        answers = _Story.parse(story).answers()
        question = self._draw_question(list(answers), rng)
        return Example(f"story {story} {question}", f" {answers[question]}")

    def interview(self, rng: np.random.Generator, count: int) -> tuple[str, list[Example]]:
        """Draw a story and `count` training questions with short answers; they repeat if the story has too few facts.

        Returns
        -------
        tuple
            What all the prompts begin with, and the examples.
        """
        while True:
            story = self._draw_story(rng)
            every = [
                Example(f"story {story} {asked}", f" {answer}")
                for asked, answer in _Story.parse(story).answers().items()
            ]
            short = [one for one in every if not one.answer.endswith(".") and not is_held_out(self, one.prompt)]
            if short:
                chosen = rng.choice(len(short), count, replace=len(short) < count)
                return f"story {story}", [short[index] for index in chosen]

    @staticmethod
    def _draw_story(rng: np.random.Generator, *, whole: bool = False) -> str:
        """Draw two or three people with one or two facts each; three with two where the story is to be whole."""
        people = _MOST_PEOPLE if whole else int(rng.integers(2, _MOST_PEOPLE + 1))
        names, things, places = rng.permutation(NAMES), rng.permutation(THINGS), rng.permutation(PLACES)
        sentences = []
        for index in range(people):
            colour = COLOURS[rng.integers(len(COLOURS))]
            facts = [f"{names[index]} has a {colour} {things[index]}.", f"{names[index]} is in the {places[index]}."]
            kind = 0.0 if whole else rng.random()
            sentences += facts if kind < 0.6 else [facts[0]] if kind < 0.8 else [facts[1]]  # noqa: PLR2004
        return " ".join(rng.permutation(sentences))

    @staticmethod
    def _draw_question(questions: list[str], rng: np.random.Generator) -> str:
        """Draw the kind of question first (its first two words), so that long answers are not rare."""
        kinds = sorted({" ".join(question.split()[:2]) for question in questions} | {"Tell it again"})
        kind = kinds[rng.integers(len(kinds))]
        matching = [question for question in questions if question.startswith(kind)]
        return matching[rng.integers(len(matching))]

    def validate_prompt(self, prompt: str) -> None:
        """Want `story`, two to six sentences, and a question that they answer."""
        self._answer(prompt)

    def solve(self, prompt: str, completion: str = "") -> str:
        """The answer; facts about a person in the order of the completion, where it has them all."""
        return completion if self.check(prompt, completion) else f" {self._answer(prompt)}"

    def check(self, prompt: str, completion: str) -> bool:
        """Accept the answer; where facts about a person are asked for, in any order."""
        try:
            answer = self._answer(prompt)
        except PromptError:
            return False
        given = completion.strip(" ")
        if "Tell me about" in prompt:
            return given.endswith(".") and sorted(given[:-1].split(". ")) == sorted(answer[:-1].split(". "))
        return given == answer

    def _answer(self, prompt: str) -> str:
        match = _PROMPT.fullmatch(prompt)
        if match is None:
            raise PromptError(
                f"Not a story prompt: {prompt!r}. Write 'story', two to {_MOST_SENTENCES} sentences and a question, "
                f"such as {self.example_prompts[0]!r}."
            )
        story = _Story.parse(match[1])
        if len(story.sentences) > _MOST_SENTENCES:
            raise PromptError(
                f"The story has {len(story.sentences)} sentences; the model knows {_MOST_SENTENCES} at most."
            )
        answers = story.answers()
        if match[2] not in answers:
            raise PromptError(f"The story does not answer {match[2]!r}. It answers: {'; '.join(sorted(answers))}.")
        return answers[match[2]]


class StoryCues(Story):
    """Shortened questions about a story, with their answers: only each third word follows from the prompt."""

    name: ClassVar[str] = "story cues"
    title: ClassVar[str] = "Questions about a story in short"
    description: ClassVar[str] = "Read six sentences, then ask for what they said in three words each, and answer."
    example_prompts: ClassVar[tuple[str, ...]] = (
        "story Ben has a green hat. Sam is in the school. Ben is in the kitchen. Sam has a red cup.",
    )
    _CUES: ClassVar[int] = 10

    def sample(self, rng: np.random.Generator) -> Example:
        """Draw three people with two facts each, and ten times one of the questions that are not held out."""
        while True:
            prompt = f"story {self._draw_story(rng, whole=True)}"
            cues = self._cues(prompt)
            if cues:
                return Example(prompt, "".join(rng.choice(cues, self._CUES)))

    def validate_prompt(self, prompt: str) -> None:
        """Want `story` and sentences."""
        self._cues(prompt)

    def solve(self, prompt: str, completion: str = "") -> str:
        """Each cue once."""
        del completion
        return "".join(self._cues(prompt))

    def check(self, prompt: str, completion: str) -> bool:
        """Accept any of the cues with their answers in any order, also repeatedly."""
        try:
            cues = self._cues(prompt)
        except PromptError:
            return False
        return re.fullmatch("|".join(cues).join(("(?:", ")+")), completion) is not None

    @staticmethod
    def _cues(prompt: str) -> list[str]:
        if not prompt.startswith("story "):
            raise PromptError(f"Not a story: {prompt!r}. Write 'story' and sentences.")
        cues, story = _Story.parse(prompt.removeprefix("story ")).cues(), Story()
        return [cue for question, cue in cues.items() if not is_held_out(story, f"{prompt} {question}")]
