# The one list of public names: read by type checkers, by editors, and when a name is first used.
from .conformance import check_conformance as check_conformance
from .diagnosis import diagnose as diagnose
from .export.html import export_html as export_html
from .labs import interventions as interventions
from .labs.inside import inside as inside
from .labs.parity import parity as parity
from .labs.run import run as run
from .labs.sweep import sweep as sweep
from .recorders import record as record
from .recorders.own_loop import Recorder as Recorder
from .tiny import load_tiny as load_tiny
from .trace import load_trace as load_trace
from .widgets.explore import compare as compare
from .widgets.explore import explore as explore
from .widgets.watcher import watch as watch

__version__: str
