// Keeps the address and the state in step: the address follows a moment after the last change, and the state follows Back
// and Forward.
import { effect } from "@preact/signals";
import { decode, encode, initial } from "./hash.ts";
import { messageOf, restore, shared, tell } from "./state.ts";

const settleMilliseconds = 250;

export function followAddress(): void {
  let written = "";
  let timer: ReturnType<typeof setTimeout> | undefined;
  const read = (): void => {
    try {
      restore(decode(location.hash));
    } catch (error) {
      restore({ ...initial, tab: "filter" });
      tell(`This address could not be read, so here is the start: ${messageOf(error)}.`);
    }
    // Read back, since packed values are rounded: what was just read must not be written as something new.
    written = encode(shared.value);
    // What restoring has set off.
    clearTimeout(timer);
  };
  read();
  addEventListener("popstate", read);
  effect(() => {
    const hash = encode(shared.value);
    clearTimeout(timer);
    if (hash === written) return;
    timer = setTimeout(() => {
      written = hash;
      history.pushState(null, "", hash);
    }, settleMilliseconds);
  });
}
