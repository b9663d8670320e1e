// Whose results count as right, and how far others may be. Pages name it without loading anyone who takes part.
export const judge = "ONNX Runtime";

/** Of a result from the judge's, over the largest value. */
export const mostDifference = 1e-4;
