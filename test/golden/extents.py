"""Writes extents.json: SciPy's convolve2d in every mode and boundary, on small pictures of integers."""

import json
from pathlib import Path

import numpy as np
from scipy.signal import convolve2d

random = np.random.default_rng(5)
cases = []
for height, width, kh, kw in [(7, 9, 3, 3), (6, 8, 2, 5), (9, 5, 4, 2), (5, 6, 1, 6)]:
    picture = random.integers(0, 256, (height, width))
    taps = random.integers(-9, 10, (kh, kw))
    for mode in ["same", "valid", "full"]:
        for boundary, border in [("fill", "constant"), ("symm", "symmetric"), ("wrap", "wrap")]:
            result = convolve2d(picture, taps, mode, boundary, fillvalue=7)
            cases.append({"picture": picture.tolist(), "filter": taps.tolist(), "extent": mode, "border": border, "result": result.tolist()})
Path(__file__).with_name("extents.json").write_text(json.dumps(cases) + "\n")
