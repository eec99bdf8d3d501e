"""The options of ``dgemma-viz serve``, and what it does with them."""

from __future__ import annotations

import argparse
from dataclasses import fields

from dgemma_viz.serving.settings import ServeSettings, gather, kinds_of_settings


def add_options(parser: argparse.ArgumentParser) -> None:
    """Give a parser an option for each setting; what is not given stays None, so that file and environment count."""
    parser.add_argument(
        "--config", metavar="FILE", help="JSON file of settings; environment (DGEMMA_VIZ_PORT, ...) and flags go before"
    )
    parser.add_argument(
        "--print-config", action="store_true", help="print the settings that would be used, as JSON, and stop"
    )
    kinds = kinds_of_settings()
    for setting in fields(ServeSettings):
        asked = {name: value for name, value in setting.metadata.items() if value is not None}
        if setting.name == "notebook":
            parser.add_argument("notebook", nargs="?", **asked)
            continue
        flag = asked.pop("flag", f"--{setting.name.replace('_', '-')}")
        kind, _ = kinds[setting.name]
        if kind is not bool:
            asked["type"] = kind
        elif setting.default:
            asked |= {"action": argparse.BooleanOptionalAction, "default": None}
        else:
            asked |= {"action": "store_const", "const": True}
        parser.add_argument(flag, dest=setting.name, **asked)


def run(options: argparse.Namespace) -> int:
    """Serve until interrupted, or print the settings; returns the exit status."""
    given = vars(options)
    settings = gather(options.config, flags={name: given[name] for name in kinds_of_settings()})
    if options.print_config:
        print(settings.to_json())
        return 0
    from dgemma_viz.serving.server import serve

    serve(settings)
    return 0
