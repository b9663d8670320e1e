"""Writes pictures.json: checksums and samples of what SciPy and OpenCV make of photographs, for golden.test.ts.

    python3 test/golden/pictures.py DATA        (needs numpy, scipy, opencv; DATA/images holds the photographs)

OpenCV decodes; the test decodes with sharp, and compares the checksum of the pixels first.
"""
import json
import pathlib
import sys
import zlib

import cv2
import numpy as np
import scipy
from scipy import ndimage

NAMES = ["kodak-04.png", "kodak-08.png", "kodak-15.png", "kodak-23.png", "castle-6mp.jpg"]


def crc(array):
    return zlib.crc32(np.ascontiguousarray(array).tobytes())


def describe(path):
    pixels = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    sobel = cv2.Sobel(pixels, cv2.CV_16S, 1, 0, borderType=cv2.BORDER_REFLECT_101)
    sharpen = cv2.filter2D(pixels, -1, np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]], float))
    blur = ndimage.gaussian_filter(pixels.astype(np.float64), (2, 2, 0), mode="mirror").ravel()
    # The corners, then samples all over.
    height, width, channels = pixels.shape
    corners = [0, (width - 1) * channels, (height - 1) * width * channels, blur.size - 1]
    indices = corners + [k * 2654435761 % blur.size for k in range(1, 61)]
    return {
        "name": path.name,
        "pixels": crc(pixels),
        "sobel": crc(sobel),
        "sharpen": crc(sharpen),
        "gaussian": {
            "mean": round(float(blur.mean()), 6),
            "variance": round(float(blur.var()), 4),
            "samples": [[i, round(float(blur[i]), 5)] for i in indices],
        },
    }


folder = pathlib.Path(sys.argv[1]) / "images"
versions = {"numpy": np.__version__, "scipy": scipy.__version__, "opencv": cv2.__version__}
lines = ",\n".join(json.dumps(describe(folder / name), separators=(",", ":")) for name in NAMES)
text = f'{{"versions": {json.dumps(versions)},\n"pictures": [\n{lines}\n]}}\n'
pathlib.Path(__file__).with_name("pictures.json").write_text(text)
