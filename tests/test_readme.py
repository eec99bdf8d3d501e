"""The README's Python runs as it stands, one block after the other, and gives what its comments promise."""

import re
from pathlib import Path

import numpy as np

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
MODEL = "model, tokenizer = dv.load_tiny()"


def test_the_python_blocks_run(tmp_path, monkeypatch):
    """The block that loads the bundled model goes first: the others take ``model`` and ``inputs`` from it."""
    monkeypatch.chdir(tmp_path)
    blocks = sorted(BLOCKS, key=lambda block: MODEL not in block)
    assert MODEL in blocks[0]
    names = {"dv": __import__("dgemma_viz")}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)  # noqa: S102 - our own README
    dv, trace = names["dv"], names["trace"]
    (reference,) = set(re.findall(r'reference="([^"]+)"', README))
    assert trace.output_text() == reference, "the README's reference is what the model should answer"
    assert not [finding for finding in dv.diagnose(trace, reference) if finding.severity > 1]
    table = names["failure_kinds"](names["runs"])
    assert table["count"].sum() == 60
    assert np.isclose(table["share"].sum(), 1)
    assert names["found"].missing == 0
    assert (tmp_path / "sweep.jsonl").stat().st_size
    assert names["done"].same_until
    assert {name: names[name].facts.status for name in ("sticky", "masked")} == dict.fromkeys(
        ("sticky", "masked"), "complete"
    )
    assert dv.replay(names["model"], names["tokenizer"], names["original"]).divergence is None
