export function ModelView() {
  return <p>…</p>;
}
