"""The cost model beside every published measurement, its fit, its crossovers, and this machine on the roofline.

python benchmarks/cost_model.py
"""

from __future__ import annotations

from dgemma_viz.costs import (
    CALIBRATED,
    FORMATS,
    HARDWARE,
    RELEASED,
    Efficiency,
    Scenario,
    autoregressive,
    break_even,
    canvas_pass,
    crossover_table,
    diffusion,
    step_time,
    validation,
)
from dgemma_viz.costs.hardware import this_machine


def main() -> None:
    """Print the tables."""
    print("| kind | what | hardware | source | published | modelled | error |")
    print("| --- | --- | --- | --- | ---: | ---: | ---: |")
    for row in validation().to_dict("records"):
        numbers = f"{row['published']:g} {row['unit']} | {row['predicted']:.4g} {row['unit']} | {row['error']:+.1%}"
        print(f"| {row['kind']} | {row['what']} | {row['hardware']} | {row['source']} | {numbers} |")
    weights, device = FORMATS["FP8"], HARDWARE["H100 SXM"]
    token = autoregressive(RELEASED, weights, device, CALIBRATED["autoregressive"])
    print("\n| denoising steps a canvas | break-even length, tokens (H100, FP8, batch 1) |\n| ---: | ---: |")
    for steps in (4, 6, 9, 16):
        canvas = diffusion(RELEASED, weights, device, CALIBRATED["diffusion"], steps=steps, commits=0)
        print(f"| {steps} | {break_even(canvas, token):.1f} |")
    print("\n| fitted on H100 and H200 | fixed part, ms | bandwidth, of the peak |\n| --- | ---: | ---: |")
    for way, fitted in CALIBRATED.items():
        print(f"| {way} | {fitted.overhead:.2f} | {fitted.bandwidth:.1%} |")
    print("\n| device | serves more than diffusion | from users (FP8, 16 steps) | canvases that fit, at most |")
    print("| --- | --- | ---: | ---: |")
    for name in ("H100 SXM", "H200", "DGX Spark GB10"):
        for row in crossover_table(Scenario(RELEASED, weights, HARDWARE[name])).to_dict("records"):
            print(f"| {name} | {row['way']} | {row['users']} | {row['memory']} |")
    here = this_machine()
    took = step_time(canvas_pass(RELEASED, FORMATS["BF16"]), here, FORMATS["BF16"], Efficiency(1.0, 1.0, 0.0))
    print(
        f"\n{here.name}: {here.bandwidth:.1f} GB/s, {here.bf16:.3f} TFLOP/s. One denoising step of the released model "
        f"in BF16 would take {took.total / 1000:.0f} s here at full efficiency, limited by {took.limit}."
    )


if __name__ == "__main__":
    main()
