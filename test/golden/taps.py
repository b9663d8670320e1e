"""Prints taps.json: filters as OpenCV and SciPy make them, to compare ours with.

    python3 test/golden/taps.py > test/golden/taps.json

The versions that made the file stand in it (NumPy 1.24.2, SciPy 1.10.1, OpenCV 4.6.0).
"""

import json

import cv2
import numpy as np
import scipy
from scipy import ndimage


def correlated_filter(operation, radius):
    """The filter that an operation correlates with: its response to a single 1, flipped."""
    image = np.zeros((2 * radius + 1, 2 * radius + 1))
    image[radius, radius] = 1
    return operation(image)[::-1, ::-1].tolist()


def opencv_gaussian(sigma, dtype):
    """The side and taps of GaussianBlur(picture, (0, 0), sigma): the side's rule is checked against the operation."""
    side = int(np.rint(sigma * (3 if dtype == np.uint8 else 4) * 2 + 1)) | 1
    picture = np.random.default_rng(1).integers(0, 256, (64, 64)).astype(dtype)
    assert np.array_equal(cv2.GaussianBlur(picture, (0, 0), sigma), cv2.GaussianBlur(picture, (side, side), sigma))
    return {
        "sigma": sigma,
        "dtype": np.dtype(dtype).name,
        "size": side,
        "taps": cv2.getGaussianKernel(side, sigma, cv2.CV_64F)[:, 0].tolist(),
    }


def scipy_gaussian(sigma, truncate, order):
    radius = int(truncate * max(np.atleast_1d(sigma)) + 0.5)
    operation = lambda image: ndimage.gaussian_filter(image, sigma, order=order, truncate=truncate, mode="constant")
    return {"sigma": sigma, "truncate": truncate, "values": correlated_filter(operation, radius)}


def opencv_derivative(dx, dy, ksize):
    row, column = cv2.getDerivKernels(dx, dy, ksize)
    return {"column": column[:, 0].tolist(), "row": row[:, 0].tolist()}


def opencv_gabor(size, sigma, angle, wavelength, aspect, phase):
    values = cv2.getGaborKernel(size or (-1, -1), sigma, np.deg2rad(angle), wavelength, aspect, np.deg2rad(phase))
    parameters = {"sigma": sigma, "angle": angle, "wavelength": wavelength, "aspect": aspect, "phase": phase}
    if size:
        parameters["size"] = size[::-1]
    return {"parameters": parameters, "values": values.tolist()}


golden = {
    "versions": {"numpy": np.__version__, "scipy": scipy.__version__, "opencv": cv2.__version__},
    "opencv": {
        "GaussianBlur": [
            opencv_gaussian(sigma, dtype) for sigma in (0.43, 0.8, 1.25, 3.3) for dtype in (np.uint8, np.uint16, np.float32)
        ],
        "sobel-x": opencv_derivative(1, 0, 3),
        "sobel-y": opencv_derivative(0, 1, 3),
        "scharr-x": opencv_derivative(1, 0, cv2.FILTER_SCHARR),
        "scharr-y": opencv_derivative(0, 1, cv2.FILTER_SCHARR),
        "laplacian-4": correlated_filter(lambda image: cv2.Laplacian(image, cv2.CV_64F, borderType=cv2.BORDER_CONSTANT), 1),
        "getGaborKernel": [
            opencv_gabor(None, 1.5, 45, 4, 1, 0),
            opencv_gabor(None, 1.5, 20, 5, 0.6, 30),
            opencv_gabor((5, 9), 2, 110, 6, 0.5, 90),
        ],
    },
    "scipy": {
        "gaussian": [scipy_gaussian(sigma, truncate, 0) for sigma, truncate in ((0.5, 4), (1.1, 4), ((1.5, 0.7), 2))],
        "derivative-of-gaussian-x": scipy_gaussian(0.9, 3, (0, 1)),
        "derivative-of-gaussian-y": scipy_gaussian(0.9, 3, (1, 0)),
        "laplacian-of-gaussian": {
            "sigma": 0.9,
            "truncate": 4,
            "values": correlated_filter(lambda image: ndimage.gaussian_laplace(image, 0.9, mode="constant"), 4),
        },
        "prewitt-x": correlated_filter(lambda image: ndimage.prewitt(image, axis=1, mode="constant"), 1),
        "prewitt-y": correlated_filter(lambda image: ndimage.prewitt(image, axis=0, mode="constant"), 1),
    },
}
print(json.dumps(golden))
