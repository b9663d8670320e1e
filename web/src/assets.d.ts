// Files that the page loads by their address.
declare module "*.onnx?url" {
  const address: string;
  export default address;
}
