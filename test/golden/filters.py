"""Writes filters.json: what SciPy and OpenCV make of two small pictures, for golden.test.ts.

    python3 test/golden/filters.py        (needs numpy, scipy, opencv)

Each case names the foreign call, and the same request in rank1's words. The pictures come from a formula that the test
repeats. Results are base64 of little-endian arrays: floats are SciPy's f64 or OpenCV's f32, stored as f32.
"""
import base64
import json
import pathlib

import cv2
import numpy as np
import scipy
from scipy import ndimage

SIDES = {"grey": (7, 17, 1), "rgb": (7, 11, 3)}
TYPES = {"u8": np.uint8, "u16": np.uint16, "i16": np.int16, "f32": np.float32}
SCIPY = {"reflect": "symmetric", "mirror": "reflect", "nearest": "edge", "wrap": "wrap", "constant": "constant"}
OPENCV = {"REFLECT_101": "reflect", "REFLECT": "symmetric", "REPLICATE": "edge", "CONSTANT": "constant"}
SKEW = [[1, -2, 3, 0], [4, 5, -6, 2], [-7, 8, 9, -1]]
TALL = [[1, 0], [2, -1], [0, 3], [-4, 1], [5, 2]]

cases = []


def picture(name, dtype):
    """u8 v, u16 257 v, i16 16 v - 2048, f32 v / 256 - 0.25, where v runs through 0..255."""
    height, width, channels = SIDES[name]
    y, x, c = np.mgrid[:height, :width, :channels]
    v = (7 * x * x + 13 * y * y + 5 * x * y + 31 * x + 17 * y + 71 * c) % 256
    v = v[:, :, 0] if channels == 1 else v
    return {"u8": v, "u16": 257 * v, "i16": 16 * v - 2048, "f32": v / 256 - 0.25}[dtype].astype(TYPES[dtype])


def add(call, name, dtype, filter, options, output, result, levels=0):
    """`levels`: by how much integer results may differ, and why: see the calls below."""
    options = {**options, "output": output}
    case = {"call": call, "picture": name, "dtype": dtype, "filter": filter, "options": options, "levels": levels}
    assert output == "f32" or np.array_equal(result, np.asarray(result).astype(TYPES[output])), call
    bytes = np.ascontiguousarray(result, TYPES[output]).tobytes()
    cases.append({**case, "result": base64.b64encode(bytes).decode()})


def scipy_cases():
    grey = picture("grey", "u8").astype(np.float64)
    real = picture("grey", "f32").astype(np.float64)
    for mode, border in SCIPY.items():
        value = 3 if mode == "constant" else 0
        options = {"border": border, "borderValue": value}
        put = lambda call, dtype, filter, result, output="f32", **more: add(
            f"scipy.ndimage.{call}, mode={mode}", "grey", dtype, filter, {**options, **more}, output, result)

        put("correlate 3x4", "u8", SKEW, ndimage.correlate(grey, np.array(SKEW, float), mode=mode, cval=value), "i16")
        # SciPy's origin counts from the middle, size >> 1; rank1's anchor counts from the first tap.
        put("correlate 5x2, origin=(1, -1)", "u8", TALL,
            ndimage.correlate(grey, np.array(TALL, float), mode=mode, cval=value, origin=(1, -1)), "i16",
            anchor=[0, 3])
        # Flipped, the middle tap of an even side stands one to the left.
        put("convolve 3x4", "u8", SKEW, ndimage.convolve(grey, np.array(SKEW, float), mode=mode, cval=value), "i16",
            flip=True, anchor=[1, 1])
        # Two passes in SciPy: a constant other than 0 would stand beside the first pass's result, too.
        put("sobel axis=1", "u8", "sobel-x", ndimage.sobel(grey, 1, mode=mode, cval=0), "i16", borderValue=0)
        put("gaussian_filter sigma=1.5", "f32", "gaussian:sigma=1.5",
            ndimage.gaussian_filter(real, 1.5, mode=mode, cval=value))
        # 33 rows of taps on 7 rows of picture.
        put("gaussian_filter sigma=(4, 2)", "u8", "gaussian:sigma=4x2",
            ndimage.gaussian_filter(grey, (4, 2), mode=mode, cval=value))
        put("uniform_filter size=(4, 5)", "f32", "box:size=4x5",
            ndimage.uniform_filter(real, (4, 5), mode=mode, cval=value))
    put = lambda call, filter, result: add(f"scipy.ndimage.{call}, mode=mirror", "grey", "f32", filter, {}, "f32", result)
    put("prewitt axis=0", "prewitt-y", ndimage.prewitt(real, 0, mode="mirror"))
    put("laplace", "laplacian-4", ndimage.laplace(real, mode="mirror"))
    put("gaussian_filter sigma=1.2, order=(0, 1)", "derivative-of-gaussian-x:sigma=1.2",
        ndimage.gaussian_filter(real, 1.2, order=(0, 1), mode="mirror"))


def opencv_cases():
    for name, border in OPENCV.items():
        mode = {"borderType": getattr(cv2, f"BORDER_{name}")}
        put = lambda call, picture_name, dtype, filter, output, result, levels=0, **more: add(
            f"cv2.{call}, BORDER_{name}", picture_name, dtype, filter, {"border": border, **more}, output, result, levels)
        grey, rgb, real = picture("grey", "u8"), picture("rgb", "u8"), picture("grey", "f32")

        put("filter2D 3x4", "grey", "u8", SKEW, "i16", cv2.filter2D(grey, cv2.CV_16S, np.array(SKEW, float), **mode))
        put("filter2D 3x4 anchor=(3, 0)", "rgb", "u8", SKEW, "u8",
            cv2.filter2D(rgb, -1, np.array(SKEW, float), anchor=(3, 0), **mode), anchor=[3, 0])
        # Real sums: OpenCV rounds halves to even, rank1 up.
        put("filter2D 3x4 / 16, delta=100", "rgb", "u8", SKEW, "u8",
            cv2.filter2D(rgb, -1, np.array(SKEW, float) / 16, delta=100, **mode), 1, gain=1 / 16, offset=100)
        put("filter2D 5x2 / 4", "grey", "u16", TALL, "u16",
            cv2.filter2D(picture("grey", "u16"), -1, np.array(TALL, float) / 4, anchor=(1, 2), **mode), 1, gain=0.25)
        put("sepFilter2D", "grey", "f32", {"column": [1, 4, 6, 4], "row": [-1, 2, 0.5]}, "f32",
            cv2.sepFilter2D(real, -1, np.array([-1, 2, 0.5]), np.array([1.0, 4, 6, 4]), **mode))
        # On u8, OpenCV blurs in fixed point.
        put("GaussianBlur (7, 5) sigma=(1.2, 0.9)", "rgb", "u8", "gaussian:sigma=0.9x1.2,size=5x7", "u8",
            cv2.GaussianBlur(rgb, (7, 5), 1.2, sigmaY=0.9, **mode), 1)
        put("GaussianBlur (13, 13) sigma=2", "grey", "f32", "gaussian:sigma=2,size=13", "f32",
            cv2.GaussianBlur(real, (13, 13), 2, **mode))
        put("Sobel dx=1", "rgb", "u8", "sobel-x", "i16", cv2.Sobel(rgb, cv2.CV_16S, 1, 0, **mode))
        put("Sobel dy=1", "grey", "i16", "sobel-y", "f32", cv2.Sobel(picture("grey", "i16"), cv2.CV_32F, 0, 1, **mode))
        put("Scharr dy=1", "grey", "u8", "scharr-y", "i16", cv2.Scharr(grey, cv2.CV_16S, 0, 1, **mode))
        put("Laplacian ksize=1", "grey", "u8", "laplacian-4", "i16",
            cv2.Laplacian(grey, cv2.CV_16S, ksize=1, **mode))
        put("Laplacian ksize=3, scale=0.5", "grey", "u8", [[2, 0, 2], [0, -8, 0], [2, 0, 2]], "u8",
            cv2.Laplacian(grey, -1, ksize=3, scale=0.5, **mode), gain=0.5)
        put("boxFilter (5, 4)", "rgb", "u8", "box:size=4x5", "u8", cv2.boxFilter(rgb, -1, (5, 4), **mode), 1)
        put("boxFilter (5, 4), not normalised", "grey", "u8", "box:size=4x5", "i16",
            cv2.boxFilter(grey, cv2.CV_16S, (5, 4), normalize=False, **mode), gain=20)


scipy_cases()
opencv_cases()
versions = {"numpy": np.__version__, "scipy": scipy.__version__, "opencv": cv2.__version__}
lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
text = f'{{"versions": {json.dumps(versions)},\n"cases": [\n{lines}\n]}}\n'
pathlib.Path(__file__).with_name("filters.json").write_text(text)
print(f"{len(cases)} cases, {len(text)} bytes")
