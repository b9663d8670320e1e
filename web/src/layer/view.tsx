export function LayerView() {
  return <p>…</p>;
}
