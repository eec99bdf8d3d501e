"""Settings come from four places, the later over the earlier, and every mistake says where it stands."""

import json
import os

import pytest

from dgemma_viz.cli import main
from dgemma_viz.errors import SettingError
from dgemma_viz.serving.sessions import visitor_at
from dgemma_viz.serving.settings import ServeSettings, gather


def test_flags_go_before_environment_before_file_before_defaults(tmp_path):
    file = tmp_path / "serve.json"
    file.write_text(json.dumps({"port": 1000, "theme": "dark", "most_sessions": 3}))
    environment = {"DGEMMA_VIZ_PORT": "2000", "DGEMMA_VIZ_MOST_SESSIONS": "4", "DGEMMA_VIZ_OTHER": "left alone"}
    settings = gather(str(file), environment, {"port": 3000, "host": None})
    assert (settings.port, settings.most_sessions, settings.theme) == (3000, 4, "dark")
    assert settings.host == ServeSettings().host


def test_what_is_printed_can_be_read_again(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("DGEMMA_VIZ_PROXIED", "yes")
    monkeypatch.setenv("DGEMMA_VIZ_MOST_RUN_SECONDS", "none")
    assert main(["serve", "--print-config", "--base-url", "/a/b/"]) == 0
    printed = capsys.readouterr().out
    file = tmp_path / "serve.json"
    file.write_text(printed)
    settings = gather(str(file), {})
    assert (settings.proxied, settings.base_url, settings.most_run_seconds) == (True, "/a/b/", None)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "must be a JSON object"),
        ('{"prot": 1}', "unknown keys: prot; known: notebook, host, port"),
        ('{"port": "8866"}', 'port in .* must be a whole number, not "8866"'),
        ('{"port": true}', "must be a whole number, not true"),
        ('{"port": false}', "must be a whole number, not false"),
        ('{"proxied": 1}', "must be true or false, not 1"),
        ('{"host": null}', "must be a text, not null"),
        ('{"most_sessions": 0}', "most_sessions is 0; choose a number from 1 on"),
        ('{"idle_seconds": 0.5}', "idle_seconds is 0.5"),
        ('{"most_sessions_per_visitor": 0}', "most_sessions_per_visitor is 0; choose a number from 1 on"),
        ('{"trace_cache_megabytes": 0}', "trace_cache_megabytes is 0; choose a number from 1 on"),
        ('{"frame_ancestors": "example.org"}', "'example.org' in frame_ancestors is not an origin; give those whose"),
        ('{"frame_ancestors": "https://a.example/path"}', "'https://a.example/path' in frame_ancestors is not an"),
        ('{"frame_ancestors": "https://a.example; script-src"}', "'https://a.example;' in frame_ancestors is not an"),
        ('{"most_steps": 20}', "most_steps is 20; choose a number from 48 on"),
    ],
)
def test_mistakes_in_the_file(tmp_path, content, message):
    file = tmp_path / "serve.json"
    file.write_text(content)
    with pytest.raises(SettingError, match=message):
        gather(str(file), {})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "70000"], "port 70000 is not a port"),
        (["--base-url", "dgemma"], "must begin and end with a slash"),
        (["--base-url", "/a/../b/"], "must begin and end with a slash"),
        (["--traces", "no-such-folder"], "there is no folder 'no-such-folder'"),
        (["--log-level", "LOUD"], "there is no log level 'LOUD'"),
        (["--config", "no-such-file"], "the configuration no-such-file cannot be read"),
        (["--preheated", "1", "--preheated-dashboards", "nothing"], "cannot preheat nothing; published are 01_watch"),
        (["no-such-notebook"], "there is no notebook 'no-such-notebook'"),
    ],
)
def test_mistakes_on_the_command_line_are_named_and_leave_nothing_behind(capsys, arguments, message):
    before = dict(os.environ)
    assert main(["serve", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert dict(os.environ) == before


def test_mistakes_in_the_environment():
    with pytest.raises(SettingError, match="DGEMMA_VIZ_PORT must be a whole number, not 'many'"):
        gather(None, {"DGEMMA_VIZ_PORT": "many"})
    with pytest.raises(SettingError, match="DGEMMA_VIZ_PROXIED must be true or false"):
        gather(None, {"DGEMMA_VIZ_PROXIED": "perhaps"})


@pytest.mark.parametrize(
    ("origins", "framing"),
    [
        (None, "frame-ancestors 'self'"),
        ("*", "frame-ancestors 'self' *"),
        (
            "https://a.example  http://*.b.example:8000 http://[::1]:*",
            "frame-ancestors 'self' https://a.example http://*.b.example:8000 http://[::1]:*",
        ),
    ],
)
def test_who_may_frame_the_pages(origins, framing):
    assert ServeSettings(frame_ancestors=origins).framing == framing


@pytest.mark.parametrize(
    ("address", "visitor"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_a_visitor_is_an_address_or_the_network_around_it(address, visitor):
    assert visitor_at(address) == visitor
