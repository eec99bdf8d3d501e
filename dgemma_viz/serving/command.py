"""The options of ``dgemma-viz serve``, and what it does with them."""

from __future__ import annotations

import argparse

from dgemma_viz.serving.settings import ServeSettings, gather

_D = ServeSettings


def add_options(parser: argparse.ArgumentParser) -> None:
    """Give a parser the options; what is not given stays None, so that file and environment count."""
    add = parser.add_argument
    add("notebook", nargs="?", help="path, or start of a published notebook's name (default: a gallery of all)")
    add(
        "--config", metavar="FILE", help="JSON file of settings; environment (DGEMMA_VIZ_PORT, ...) and flags go before"
    )
    add("--print-config", action="store_true", help="print the settings that would be used, as JSON, and stop")
    add("--host", help=f"address to listen on (default: {_D.host})")
    add("--port", type=int, help="port to listen on (default: 8866 or the next free one)")
    add("--base-url", metavar="PATH", help="what every address begins with, e.g. /dgemma/ (default: /)")
    add("--theme", choices=("light", "dark"))
    add("--open", dest="open_browser", action="store_const", const=True, help="open the page in the default browser")
    add("--traces", metavar="DIR", help="publish the recorded traces of a folder, read-only")
    add(
        "--trace-cache-megabytes",
        type=int,
        metavar="MB",
        help=f"memory for what is shown of traces (default: {_D.trace_cache_megabytes})",
    )
    add(
        "--most-sessions",
        type=int,
        metavar="N",
        help=f"most visitors of dashboards at once; traces have no bound (default: {_D.most_sessions})",
    )
    add("--most-sessions-per-visitor", type=int, metavar="N", help="most of them for one address (default: no bound)")
    add(
        "--forked-kernels",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="fork kernels from one process that has the libraries loaded (default: yes, on Linux)",
    )
    add("--preheated", type=int, metavar="N", help=f"kernels kept ready per dashboard (default: {_D.preheated})")
    add("--preheated-dashboards", metavar="NAMES", help=f"which, by commas (default: {_D.preheated_dashboards})")
    add("--idle-seconds", type=float, metavar="S", help=f"end idle sessions after (default: {_D.idle_seconds:g})")
    add(
        "--disconnected-seconds",
        type=float,
        metavar="S",
        help=f"end sessions whose page is gone after (default: {_D.disconnected_seconds:g})",
    )
    add(
        "--most-session-megabytes",
        type=int,
        metavar="MB",
        help=f"most memory of one session (default: {_D.most_session_megabytes})",
    )
    add("--most-run-seconds", type=float, metavar="S", help=f"longest run (default: {_D.most_run_seconds:g})")
    add("--most-steps", type=int, metavar="N", help="most denoising steps a canvas (default: the model's own limit)")
    add("--most-runs", type=int, metavar="N", help="most runs at one press (default: 1000)")
    add("--proxied", action="store_const", const=True, help="believe the X-Forwarded headers of a reverse proxy")
    add("--allow-origin", metavar="ORIGIN", help="origin that may open websockets, e.g. https://example.org")
    add(
        "--frame-ancestors",
        metavar="ORIGINS",
        help="origins whose pages may show these in a frame, e.g. 'https://example.org' (default: only our own)",
    )
    add("--log-level", help=f"DEBUG, INFO, WARNING, ERROR or CRITICAL (default: {_D.log_level})")


def run(options: argparse.Namespace) -> int:
    """Serve until interrupted, or print the settings; returns the exit status."""
    given = vars(options)
    settings = gather(options.config, flags={name: given[name] for name in ServeSettings.__dataclass_fields__})
    if options.print_config:
        print(settings.to_json())
        return 0
    from dgemma_viz.serving.server import serve

    serve(settings)
    return 0
