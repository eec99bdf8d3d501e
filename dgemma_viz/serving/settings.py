"""What can be chosen for a server, and where it comes from: defaults < JSON file < environment < flags.

Every field has one name in all places: ``idle_seconds`` is a key of the JSON file, ``DGEMMA_VIZ_IDLE_SECONDS`` in the
environment, and ``--idle-seconds`` on the command line. All three follow from the field: a new one is written here
alone, and heeded where it counts.
"""

from __future__ import annotations

import json
import os
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from dgemma_viz.errors import SettingError

PREFIX = "DGEMMA_VIZ_"
_HIGHEST_PORT = 65535
_BASE_URL = re.compile(r"/([A-Za-z0-9._~-]+/)*")
_FRAME_ANCESTOR = re.compile(r"\*|https?://(\*\.)?([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:(\d{1,5}|\*))?")
_STEPS_AT_FIRST = 48
"""Dashboards open with a run of so many denoising steps a canvas, which has to be allowed."""
_YES, _NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
THEMES = ("light", "dark")
_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def _option(default: Any, words: str = "", metavar: str | None = None, **more: Any) -> Any:
    """A field, and how the command line asks for it (:mod:`dgemma_viz.serving.command`); ``{}`` is the default."""
    return field(default=default, metadata={"help": words.format(default) or None, "metavar": metavar, **more})


@dataclass(frozen=True)
class ServeSettings:
    """How to serve. Times are in seconds.

    Attributes
    ----------
    notebook
        Path of a notebook, or the start of a published one's name, to serve it alone; None for the gallery of all.
    host, port
        Address to listen on; ``port`` None takes 8866 or the next free one.
    base_url
        Path that every address begins with, as behind a reverse proxy: ``/dgemma/``.
    theme
        ``"light"`` or ``"dark"``.
    traces
        Folder whose recorded traces are published, read-only.
    trace_cache_megabytes
        Memory for what is shown of published traces, which is made once and sent to everybody.
    most_sessions
        Most visitors' kernels at once; further visitors of dashboards are asked to wait. A published trace needs no
        kernel, so its visitors are not counted.
    most_sessions_per_visitor
        Most of them for one IP address (IPv6: one network of 64 bits), so that nobody takes all places. None: no such
        bound, which suits a class behind one address. Behind a proxy it needs ``proxied``: without, all visitors have
        the proxy's address.
    forked_kernels
        Kernels are forked from one process that has imported the libraries once: they start in a fraction of the time
        and share its memory. On Linux; elsewhere without effect.
    preheated
        Kernels kept ready per dashboard in ``preheated_dashboards``; they come on top of ``most_sessions``.
    preheated_dashboards
        Names of the dashboards that are kept ready, separated by commas.
    idle_seconds
        A session in which nothing was done for so long ends; its page says so.
    disconnected_seconds
        A session whose page is gone (crashed, asleep, off the network) ends after so long.
    most_session_megabytes
        A session whose kernel holds more memory than this ends; its page says so.
    most_run_seconds, most_steps, most_runs
        Bounds on the work of one press of *Run*: seconds, denoising steps a canvas, and runs in the panels that make
        many. None: no bound but the panels' own.
    proxied
        Believe ``X-Forwarded-For`` and ``X-Forwarded-Proto``; only behind a proxy that sets them.
    allow_origin
        Origin whose pages may open websockets here, when a proxy changes the Host header: ``https://example.org``.
    frame_ancestors
        Origins whose pages may show ours in a frame, separated by spaces: ``https://example.org``; ``*`` for all. None:
        only our own.
    open_browser
        Open the page in the default browser.
    log_level
        Of the server's log, which goes to stderr.

    Raises
    ------
    SettingError
        On construction, for a value out of range.
    """

    notebook: str | None = _option(None, "path, or start of a published notebook's name (default: a gallery of all)")
    host: str = _option("127.0.0.1", "address to listen on (default: {})")
    port: int | None = _option(None, "port to listen on (default: 8866 or the next free one)")
    base_url: str = _option("/", "what every address begins with, e.g. /dgemma/ (default: {})", "PATH")
    theme: str = _option("light", choices=THEMES)
    traces: str | None = _option(None, "publish the recorded traces of a folder, read-only", "DIR")
    trace_cache_megabytes: int = _option(200, "memory for what is shown of traces (default: {})", "MB")
    most_sessions: int = _option(10, "most visitors of dashboards at once; traces have no bound (default: {})", "N")
    most_sessions_per_visitor: int | None = _option(None, "most of them for one address (default: no bound)", "N")
    forked_kernels: bool = _option(
        default=True, words="fork kernels from one process that has the libraries loaded (default: yes, on Linux)"
    )
    preheated: int = _option(0, "kernels kept ready per dashboard (default: {})", "N")
    preheated_dashboards: str = _option("01_watch_a_canvas_denoise", "which, by commas (default: {})", "NAMES")
    idle_seconds: float = _option(1800, "end idle sessions after (default: {})", "S")
    disconnected_seconds: float = _option(120, "end sessions whose page is gone after (default: {})", "S")
    most_session_megabytes: int = _option(2000, "most memory of one session (default: {})", "MB")
    most_run_seconds: float | None = _option(120, "longest run (default: {})", "S")
    most_steps: int | None = _option(None, "most denoising steps a canvas (default: the model's own limit)", "N")
    most_runs: int | None = _option(None, "most runs at one press (default: 1000)", "N")
    proxied: bool = _option(default=False, words="believe the X-Forwarded headers of a reverse proxy")
    allow_origin: str | None = _option(None, "origin that may open websockets, e.g. https://example.org", "ORIGIN")
    frame_ancestors: str | None = _option(
        None,
        "origins whose pages may show these in a frame, e.g. 'https://example.org' (default: only our own)",
        "ORIGINS",
    )
    open_browser: bool = _option(default=False, words="open the page in the default browser", flag="--open")
    log_level: str = _option("ERROR", "DEBUG, INFO, WARNING, ERROR or CRITICAL (default: {})")

    def __post_init__(self) -> None:
        if self.port is not None and not 0 < self.port <= _HIGHEST_PORT:
            raise SettingError(f"port {self.port} is not a port; choose one from 1 to {_HIGHEST_PORT}")
        if not _BASE_URL.fullmatch(self.base_url) or "/./" in self.base_url or "/../" in self.base_url:
            raise SettingError(f"base_url '{self.base_url}' must begin and end with a slash, e.g. /dgemma/")
        if self.theme not in THEMES:
            raise SettingError(f"there is no theme '{self.theme}'; choose 'light' or 'dark'")
        if self.log_level not in _LOG_LEVELS:
            raise SettingError(f"there is no log level '{self.log_level}'; choose from {', '.join(_LOG_LEVELS)}")
        if self.traces is not None and not Path(self.traces).is_dir():
            raise SettingError(f"there is no folder '{self.traces}' to publish traces from")
        for origin in (self.frame_ancestors or "").split():
            if not _FRAME_ANCESTOR.fullmatch(origin):
                raise SettingError(
                    f"'{origin}' in frame_ancestors is not an origin; give those whose pages may show these in a "
                    "frame, separated by spaces, e.g. https://example.org https://*.example.net:8000"
                )
        smallest = {"most_sessions": 1, "preheated": 0, "idle_seconds": 1, "disconnected_seconds": 1}
        smallest |= {
            "trace_cache_megabytes": 1,
            "most_sessions_per_visitor": 1,
            "most_session_megabytes": 1,
            "most_run_seconds": 1,
            "most_steps": _STEPS_AT_FIRST,
            "most_runs": 1,
        }
        for name, least in smallest.items():
            value = getattr(self, name)
            if value is not None and not least <= value < float("inf"):
                raise SettingError(f"{name} is {value}; choose a number from {least} on")

    @property
    def framing(self) -> str:
        """Who may show the pages in a frame, as a directive of Content-Security-Policy."""
        return " ".join(["frame-ancestors 'self'", *(self.frame_ancestors or "").split()])

    def to_json(self) -> str:
        """The same as a JSON file for ``--config``."""
        return json.dumps(asdict(self), indent=2)


def gather(
    file: str | None = None, environment: Mapping[str, str] | None = None, flags: Mapping[str, Any] | None = None
) -> ServeSettings:
    """Settings from all places, the later ones over the earlier.

    Parameters
    ----------
    file
        A JSON object of settings.
    environment
        Texts by variable; those of this process if None. Other variables, ``DGEMMA_VIZ_`` or not, are left alone.
    flags
        From the command line; None means not given.

    Raises
    ------
    SettingError
        A file that cannot be read, an unknown key, or a bad value; the message says where it stands.
    """
    values: dict[str, Any] = _from_file(Path(file)) if file else {}
    environment = os.environ if environment is None else environment
    for name in kinds_of_settings():
        variable = PREFIX + name.upper()
        if variable in environment:
            values[name] = _parsed(name, environment[variable], variable)
    values |= {name: value for name, value in (flags or {}).items() if value is not None}
    return ServeSettings(**values)


def _from_file(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingError(f"the configuration {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise SettingError(f"the configuration {path} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise SettingError(f'the configuration {path} must be a JSON object, e.g. {{"port": 8866}}')
    kinds = kinds_of_settings()
    if unknown := sorted(set(content) - set(kinds)):
        raise SettingError(
            f"the configuration {path} has unknown keys: {', '.join(unknown)}; known: {', '.join(kinds)}"
        )
    for name, value in content.items():
        kind, optional = kinds[name]
        if not (optional if value is None else _is_a(value, kind)):
            raise SettingError(f"{name} in {path} must be {_words(kind)}, not {json.dumps(value)}")
    return content


def _is_a(value: Any, kind: type) -> bool:
    """Whether a JSON value is of a kind; true and false are no numbers."""
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, (int, float) if kind is float else kind)


def _parsed(name: str, text: str, place: str) -> Any:
    kind, optional = kinds_of_settings()[name]
    if optional and text.strip().lower() in ("", "none"):
        return None
    if kind is bool and text.strip().lower() in _YES + _NO:
        return text.strip().lower() in _YES
    if kind is not bool:
        try:
            return kind(text)
        except ValueError:
            pass
    raise SettingError(f"{place} must be {_words(kind)}, not '{text}'")


def _words(kind: type) -> str:
    return {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}[kind]


def kinds_of_settings() -> dict[str, tuple[type, bool]]:
    """Type of each setting, and whether it may be None."""
    hints = typing.get_type_hints(ServeSettings)
    kinds = {}
    for setting in fields(ServeSettings):
        hint = hints[setting.name]
        parts = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
        kinds[setting.name] = (parts[0], type(None) in parts)
    return kinds
