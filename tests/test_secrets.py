"""No hub token, password, user name or path of this machine goes where a trace, a page or a log goes."""

import base64
import gzip
import http.client
import re
from urllib.parse import urlsplit

import pytest
import torch

import dgemma_viz as dv
from dgemma_viz.cli import main
from dgemma_viz.errors import RunFailedError, SettingError, TraceFileError
from dgemma_viz.labs.models import load_model
from dgemma_viz.labs.run import run
from dgemma_viz.redaction import without_secrets
from dgemma_viz.serving.published_traces import list_traces
from dgemma_viz.tiny.loading import KINDS
from dgemma_viz.trace import save_json_lines
from tests.browser import serve_dashboards

WEIGHTS = KINDS["diffusion"].weights

IN_ENVIRONMENT = "s3ntinel-of-the-environment"
HUB = "hf_S3ntinelS3ntinelS3ntinel"
HIDDEN = "s3ntinelpassword"
USER = "s3ntineluser"
PROMPT = "sudoku 234_/_1__/__2_/3__4="


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    home = tmp_path / USER
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.setenv("HF_TOKEN", IN_ENVIRONMENT)
    return home


def assert_clean(*texts):
    for text in texts:
        found = re.search("s3ntinel", text.decode("latin-1") if isinstance(text, bytes) else text, re.IGNORECASE)
        assert not found, text[max(0, found.start() - 200) : found.end() + 50]


def unpacked(page):
    """What an exported page holds, and the page itself."""
    packed = re.findall(r'<script type="text/plain" id="(?:contents|place-0-0)">([^<]*)</script>', page)
    assert len(packed) == 2
    return [page, *(gzip.decompress(base64.b64decode(part)) for part in packed)]


def test_a_run_that_fails_tells_no_secrets_of_its_exception(tmp_path, home, capsys):
    model, tokenizer = dv.load_tiny()
    calls = []

    def fail(*_):
        calls.append(1)
        if len(calls) > 1:
            raise RuntimeError(
                f"401 for https://me:{HIDDEN}@hub.example/m?token={HIDDEN}&x=1, Bearer {IN_ENVIRONMENT}, {HUB}, "
                f"cache {home}/.cache/x"
            )

    handle = model.lm_head.register_forward_pre_hook(fail)
    with pytest.raises(RunFailedError) as caught:
        run(model, tokenizer, PROMPT)
    handle.remove()
    trace = caught.value.trace
    assert "401 for https://" in trace.facts.error
    assert "~/.cache/x" in trace.facts.error
    trace.save(tmp_path / "run.safetensors")
    save_json_lines(trace, tmp_path / "run.jsonl")
    dv.export_html(trace, tmp_path / "run.html")
    main(["diagnose", str(tmp_path / "run.safetensors")])
    files = [(tmp_path / name).read_bytes() for name in ("run.safetensors", "run.jsonl")]
    assert_clean(str(caught.value), repr(trace.facts), *files, *capsys.readouterr())
    assert_clean(*unpacked((tmp_path / "run.html").read_text("utf-8")))


def test_a_model_of_a_local_folder_is_named_without_its_path(tmp_path, home):
    (home / "my-model").symlink_to(WEIGHTS)
    trace = run(*load_model(str(home / "my-model")), PROMPT)
    assert trace.facts.model_id == "my-model"
    trace.save(tmp_path / "run.safetensors")
    assert_clean((tmp_path / "run.safetensors").read_bytes())


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("{home}/models/x", "x"),
        ("~/x/", "x"),
        ("C:\\Users\\s3ntineluser\\x", "x"),
        ("org/name", "org/name"),
        ("x", "x"),
    ],
)
def test_so_is_the_model_of_a_loop_of_ones_own(home, given, kept):
    recorder = dv.Recorder(prompt=torch.tensor([[1, 2]]), model_id=given.format(home=home))
    canvas = torch.tensor([[3, 4]])
    recorder.step(noised=canvas, logits=torch.zeros(1, 2, 8), candidate=canvas, accepted=canvas > 0)
    recorder.emit(canvas)
    assert recorder.trace.facts.model_id == kept


def test_messages_tell_no_secrets(home, capsys):
    with pytest.raises(SettingError) as caught:
        load_model(f"nobody/no-such-model?token={HIDDEN}")
    assert_clean(str(caught.value))
    with pytest.raises(TraceFileError) as caught:
        dv.load_trace(home / "run.safetensors")
    assert_clean(str(caught.value))
    assert "~/run.safetensors" in str(caught.value)
    main(["doctor"])
    main(["diagnose", str(home / "run.safetensors")])
    assert_clean(*capsys.readouterr())


def test_the_gallery_names_files_without_their_folder(home):
    (home / "\x1b[31mbroken.safetensors").write_bytes(b"\x01" * 50)
    (card,) = list_traces(home)
    assert "broken.safetensors' is truncated" in card.trouble
    assert "~" not in card.trouble
    assert_clean(card.trouble)


def test_what_is_no_secret_stays():
    for text in (
        "pass token=True or token=<your_token>",
        "basic understanding",
        "max_tokens=5",
        "see https://x.example/@me",
    ):
        assert without_secrets(text) == text


@pytest.mark.browser
def test_the_servers_log_and_pages_hold_no_token(tmp_path):
    log = tmp_path / "server.log"
    with serve_dashboards("speed_lab", "--log-level", "INFO", "--no-forked-kernels", log_file=log) as (address, _):
        place = urlsplit(address)
        for path in (
            "/nothing",
            "/dashboards/nothing",
            "/sessions/nothing",
            "/voila/static/nothing.js",
            "/voila/api/kernels",
        ):
            connection = http.client.HTTPConnection(place.netloc, timeout=60)
            referer = f"{address}?token={HIDDEN}"
            connection.request("GET", f"{path}?token={HIDDEN}", headers={"Referer": referer})
            assert_clean(connection.getresponse().read())
    assert "/nothing" in log.read_text()
    assert_clean(log.read_text())
