"""Voila, started with our template, our handlers and settings that suit pages for strangers.

Voila runs in this process, as its own command would run it. The published notebooks are copied to a temporary folder,
and only their names are answered; sources are stripped, tracebacks are not shown, and nothing is asked of another host.
The template lies inside the package; Jupyter finds it through ``JUPYTER_PATH``, which is set for this process and the
kernels that it starts.
"""

from __future__ import annotations

import logging
import os
import shutil
import socket
import tempfile
from dataclasses import asdict
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

from dgemma_viz import work_limits
from dgemma_viz.errors import SettingError
from dgemma_viz.plain_text import printable
from dgemma_viz.redaction import without_secrets
from dgemma_viz.serving import forked_kernels
from dgemma_viz.serving.dashboards import Dashboard, read_dashboards
from dgemma_viz.serving.notebooks import find_notebook, notebooks_folder
from dgemma_viz.serving.settings import PREFIX, ServeSettings
from dgemma_viz.serving.site import FOLDER, Site, ViewerFiles, viewer_files
from dgemma_viz.serving.trace_store import TraceStore
from dgemma_viz.views.contents import PARTS
from dgemma_viz.views.plotly_module import ADDRESS_VARIABLE

TEMPLATES = Path(__file__).parent / "jupyter"
_NOT_FOR_VOILA = ["@jupyter-notebook/lab-extension"]
"""Notebook 7's part of JupyterLab: it looks for modules that Voila lacks, and a page logs an error."""
_CULL_SECONDS = 5
_NO_TRACEBACK = "Reload the page to try again; if it fails again, tell whoever runs this server."

KERNEL_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "1000000"}
"""How the kernels keep memory: what glibc frees of a megabyte or more goes back to the system at once, instead of lying
in holes of the heap; after a trace of 64 canvases is opened, 40 MB. Other systems do not look at it."""


def serve(settings: ServeSettings) -> None:
    """Serve until interrupted.

    Raises
    ------
    SettingError
        No such notebook or dashboard, or a port that is taken.
    """
    chosen = [find_notebook(settings.notebook)] if settings.notebook else list(notebooks_folder().glob("*.ipynb"))
    dashboards = read_dashboards(chosen)
    port = _choose_port(settings)
    traits = _traits(settings, port, _pools(settings, dashboards))
    files = viewer_files()
    _prepare_environment(settings, files)
    with tempfile.TemporaryDirectory(prefix="dgemma-viz-pages-") as pages:
        own = settings.notebook is not None and Path(settings.notebook).is_file()
        # A notebook of the user's own may read files beside it; only its name is answered there, too.
        root = chosen[0].parent if own else _copy(dashboards, Path(pages))
        traces = _trace_store(settings)
        try:
            site = Site(dashboards, traces, files, settings.framing)
            _application_class(settings, site, traits).launch_instance(argv=[str(root)])
        finally:
            if traces:
                traces.close()


def _trace_store(settings: ServeSettings) -> TraceStore | None:
    if settings.traces is None:
        return None
    return TraceStore(Path(settings.traces).resolve(), settings.trace_cache_megabytes * 10**6)


def _copy(dashboards: dict[str, Dashboard], folder: Path) -> Path:
    for dashboard in dashboards.values():
        shutil.copyfile(dashboard.path, folder / dashboard.path.name)
    return folder


def _pools(settings: ServeSettings, dashboards: dict[str, Dashboard]) -> dict[str, Any]:
    """Voila's pools of preheated kernels."""
    names = [name.strip() for name in settings.preheated_dashboards.split(",") if name.strip()]
    if settings.preheated and settings.notebook is None and (unknown := sorted(set(names) - set(dashboards))):
        raise SettingError(f"cannot preheat {', '.join(unknown)}; published are {', '.join(dashboards)}")
    heated = dashboards if settings.notebook is not None else names
    pools = {f"{name}.ipynb": {"pool_size": settings.preheated} for name in heated}
    return {"default": {"pool_size": 0}, **pools}


def _traits(settings: ServeSettings, port: int, pools: dict[str, Any]) -> dict[str, Any]:
    """Configuration of Voila and Jupyter, by class and trait. Limits of sessions have their settings' names."""
    from dgemma_viz.serving.sessions import SessionManager

    limits = SessionManager.class_own_traits(config=True)
    traits = {
        "Voila.ip": settings.host,
        "Voila.port": port,
        "Voila.port_retries": 0,
        "Voila.base_url": settings.base_url,
        "Voila.open_browser": settings.open_browser,
        "Voila.log_level": settings.log_level,
        "VoilaConfiguration.template": "dgemma",
        "VoilaConfiguration.theme": settings.theme,
        "VoilaConfiguration.allow_template_override": "NO",
        "VoilaConfiguration.allow_theme_override": "YES",
        "VoilaConfiguration.strip_sources": True,
        "VoilaConfiguration.show_tracebacks": False,
        "VoilaConfiguration.file_allowlist": ["(?!)"],
        "VoilaConfiguration.extension_denylist": _NOT_FOR_VOILA,
        "VoilaConfiguration.preheat_kernel": settings.preheated > 0,
        "VoilaConfiguration.resources": {
            "dgemma_viz": {"idle_minutes": f"{settings.idle_seconds / 60:.2g}", "gallery": not _alone(settings)}
        },
        "VoilaConfiguration.multi_kernel_manager_class": "dgemma_viz.serving.sessions.SessionManager",
        "VoilaExecutor.cell_error_instruction": _NO_TRACEBACK,
        **{f"SessionManager.{name}": value for name, value in asdict(settings).items() if name in limits},
        "SessionManager.forked": settings.forked_kernels and forked_kernels.AVAILABLE,
        "SessionManager.cull_idle_timeout": _CULL_SECONDS,
        "SessionManager.cull_interval": _CULL_SECONDS,
        # A kernel that died has lost its widgets; its page offers a new session instead.
        "KernelManager.autorestart": False,
    }
    if settings.preheated:
        traits["VoilaKernelManager.kernel_pools_config"] = pools
    return traits


def _harmless(record: logging.LogRecord) -> bool:
    """Make what is logged fit for a terminal: addresses hold tokens, and names of files anything."""
    record.msg, record.args = printable(without_secrets(record.getMessage())), ()
    return True


def _alone(settings: ServeSettings) -> bool:
    """Whether one dashboard is all there is, so that it stands in the gallery's place."""
    return settings.notebook is not None and settings.traces is None


def _choose_port(settings: ServeSettings) -> int:
    wanted = [settings.port] if settings.port is not None else list(range(8866, 8886))
    for port in wanted:
        with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((settings.host, port))
            except socket.gaierror as error:
                raise SettingError(f"'{settings.host}' is not an address of this machine; try 127.0.0.1") from error
            except OSError:
                continue
            return port
    if settings.port is not None:
        raise SettingError(
            f"port {settings.port} on {settings.host} is taken or not allowed; choose another with --port"
        )
    raise SettingError(f"ports {wanted[0]} to {wanted[-1]} on {settings.host} are all taken; choose one with --port")


def _prepare_environment(settings: ServeSettings, files: ViewerFiles) -> None:
    """What the kernels inherit."""
    paths = [str(TEMPLATES), *filter(None, [os.environ.get("JUPYTER_PATH")])]
    os.environ["JUPYTER_PATH"] = os.pathsep.join(paths)
    # Voila says this to a kernel that it starts for a request, but to none that it preheats.
    os.environ.setdefault("SERVER_SOFTWARE", "voila")
    # A dashboard for strangers never reaches out: the bundled model is on disk.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    # Kernels of several visitors share the cores; the bundled model is too small to gain from threads.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for variable, value in KERNEL_MEMORY.items():
        os.environ.setdefault(variable, value)
    for variable in work_limits.ALL:
        os.environ.pop(variable, None)
        if (limit := getattr(settings, variable.removeprefix(PREFIX).lower())) is not None:
            os.environ[variable] = str(limit)
    os.environ[ADDRESS_VARIABLE] = f"{settings.base_url}{FOLDER}/{files.plotly}"


def _application_class(settings: ServeSettings, site: Site, traits: dict[str, Any]) -> Any:
    from jupyter_server.utils import url_path_join
    from tornado.ioloop import IOLoop
    from traitlets.config import Config
    from voila.app import Voila
    from voila.shutdown_kernel_handler import VoilaShutdownKernelHandler
    from voila.tornado.contentshandler import VoilaContentsHandler
    from voila.tornado.handler import TornadoVoilaHandler
    from voila.tornado.treehandler import TornadoVoilaTreeHandler

    from dgemma_viz.serving import handlers as own
    from dgemma_viz.serving import trace_handlers as of_traces

    replaced = {VoilaShutdownKernelHandler: own.GoodbyeHandler}
    left_out = (VoilaContentsHandler, TornadoVoilaHandler, TornadoVoilaTreeHandler)

    class DashboardServer(Voila):  # type: ignore[misc]
        """Voila with our handlers, that says where it is once it really listens."""

        def load_config_file(self, *arguments: Any, **options: Any) -> None:
            """Load Voila's own files, such as ~/.jupyter/voila.json; what makes the server safe goes before them."""
            super().load_config_file(*arguments, **options)
            safe = Config()
            for name, value in traits.items():
                section, trait = name.split(".")
                safe[section][trait] = value
            self.update_config(safe)

        def init_settings(self) -> dict[str, Any]:
            for log in (
                self.log,
                *map(logging.getLogger, ("tornado.access", "tornado.general", "tornado.application")),
            ):
                log.addFilter(_harmless)
            found: dict[str, Any] = super().init_settings()
            page = {"voila_configuration": self.voila_configuration, "site": site}
            found["headers"] = {**found.get("headers", {}), "Content-Security-Policy": site.framing}
            found |= {"default_handler_class": own.NotFoundHandler, "default_handler_args": page}
            if settings.allow_origin:
                found["allow_origin"] = settings.allow_origin
            return found

        def init_handlers(self) -> list[Any]:
            kept = [
                (handler[0], replaced.get(handler[1], handler[1]), *handler[2:])
                for handler in super().init_handlers()
                if handler[1] not in left_out
            ]
            page = {"voila_configuration": self.voila_configuration, "site": site}
            kernel_page = {**page, "template_paths": self.template_paths, "config": self.config}
            at = partial(url_path_join, self.server_url)
            front = (own.DashboardHandler, kernel_page) if _alone(settings) else (own.GalleryHandler, page)
            return [
                *kept,
                (at("/"), *front),
                (at(r"/dashboards/([^/]+)"), own.DashboardHandler, kernel_page),
                (at(r"/traces/([^/]+)"), of_traces.TraceHandler, page),
                (at(r"/traces/([^/]+)/contents"), of_traces.TraceContentsHandler, page),
                (at(rf"/traces/([^/]+)/({'|'.join(PARTS)})"), of_traces.TracePartHandler, page),
                (at(r"/traces/([^/]+)/places/(\d{1,6})-(\d{1,6})"), of_traces.TracePlaceHandler, page),
                (at(rf"/{FOLDER}/([\w.-]+)"), of_traces.ViewerFileHandler, page),
                (at(r"/sessions/(\w+-\w+-\w+-\w+-\w+)"), own.SessionHandler, page),
            ]

        def listen(self) -> None:
            self.app.listen = partial(self.app.listen, xheaders=settings.proxied)
            IOLoop.current().add_callback(self._announce)
            super().listen()

        def _announce(self) -> None:
            host = f"[{self.ip}]" if ":" in self.ip else self.ip
            if self.kernel_manager.forked:
                Thread(target=forked_kernels.heat, daemon=True).start()
            print(f"dgemma_viz dashboard: http://{host}:{self.port}{self.base_url}  (Ctrl-C stops it)", flush=True)

    return DashboardServer
