"""OpenCV and SciPy as a child process: one request a line (JSON) on stdin, one answer a line on stdout.

Pictures and results stay here between requests, so that single calls can be timed in turn with other libraries'; they
come and go as raw files. The time is that of the call alone, not of the pipe.
"""

import json
import sys
import time

import cv2
import numpy
import scipy
from scipy import ndimage

BORDER = cv2.BORDER_REFLECT_101
MODE = "mirror"  # SciPy's name of the border that does not repeat the edge
jobs = {}


def opencv(source, target, work):
    kind = work["kind"]
    if kind == "gaussian":
        size, sigma = (work["size"], work["size"]), work["sigma"]
        return lambda: cv2.GaussianBlur(source, size, sigma, dst=target, sigmaY=sigma, borderType=BORDER)
    if kind == "sobel-x":
        return lambda: cv2.Sobel(source, cv2.CV_16S, 1, 0, dst=target, ksize=3, borderType=BORDER)
    if kind == "box":
        return lambda: cv2.blur(source, (work["size"], work["size"]), dst=target, borderType=BORDER)
    if kind == "canny":
        return lambda: cv2.Canny(source, work["low"], work["high"], edges=target)
    weights = numpy.array(work["rows"], numpy.float32)
    return lambda: cv2.filter2D(source, -1, weights, dst=target, borderType=BORDER)


def scipy_call(source, target, work):
    kind, flat = work["kind"], source.ndim == 2
    if kind == "gaussian":
        sigma, reach = work["sigma"], (work["size"] // 2) / work["sigma"]
        sigmas = (sigma, sigma) if flat else (sigma, sigma, 0)
        return lambda: ndimage.gaussian_filter(source, sigmas, output=target, mode=MODE, truncate=reach)
    if kind == "sobel-x":
        return lambda: ndimage.sobel(source, axis=1, output=target, mode=MODE)
    if kind == "box":
        size = (work["size"], work["size"]) if flat else (work["size"], work["size"], 1)
        return lambda: ndimage.uniform_filter(source, size, output=target, mode=MODE)
    weights = numpy.array(work["rows"])
    weights = weights if flat else weights[:, :, None]
    return lambda: ndimage.correlate(source, weights, output=target, mode=MODE)


def prepare(request):
    height, width, channels = request["shape"]
    shape = (height, width) if channels == 1 else (height, width, channels)
    source = numpy.fromfile(request["path"], numpy.uint8).reshape(shape)
    target = numpy.zeros(shape, numpy.uint8 if request["output"] == "u8" else numpy.int16)
    make = opencv if request["library"] == "opencv" else scipy_call
    jobs[request["id"]] = (make(source, target, request["work"]), target, request["threads"])
    return {}


def run(request):
    call, _, threads = jobs[request["id"]]
    cv2.setNumThreads(threads)
    start = time.perf_counter()
    call()
    return {"ms": 1000 * (time.perf_counter() - start)}


def result(request):
    jobs[request["id"]][1].tofile(request["path"])
    return {}


def dispose(request):
    del jobs[request["id"]]
    return {}


def versions(_):
    return {"opencv": cv2.__version__, "scipy": scipy.__version__, "numpy": numpy.__version__}


operations = {"versions": versions, "prepare": prepare, "run": run, "result": result, "dispose": dispose}

for line in sys.stdin:
    asked = json.loads(line)
    try:
        answer = operations[asked["operation"]](asked)
    except Exception as error:  # the other side decides what a failure means
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
