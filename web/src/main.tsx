// The studio starts here: the address is read, then the page is drawn.
import { render } from "preact";
import { App } from "./app.tsx";
import { followAddress } from "./state/history.ts";

followAddress();
render(<App />, document.getElementById("studio")!);
