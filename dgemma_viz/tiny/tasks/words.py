"""The words that stories and lists are made of. The tokenizer has one token for each."""

from __future__ import annotations

NAMES = ("Tom", "Ann", "Sam", "Eva", "Max", "Lea", "Ben", "Mia")
COLOURS = ("red", "blue", "green", "black", "white", "pink", "gold", "grey")
THINGS = ("kite", "hat", "ball", "boat", "lamp", "drum", "book", "cup", "bike", "doll")
PLACES = ("garden", "kitchen", "park", "school", "shop", "barn", "library", "station")
LABELS = tuple(f"({letter})" for letter in "abcdefghijklmn")
