// Whose results count as right. Pages name it without loading anyone who takes part.
export const judge = "ONNX Runtime";
