// Learn as a page of its own: the address after the # names the screen. What the page links to stands in its HTML, since
// that depends on where the page lies.
import { effect } from "@preact/signals";
import { render } from "preact";
import { lesson, lessons } from "./state.ts";
import { LearnView } from "./view.tsx";

function follow(): void {
  const read = (): void => {
    const named = lessons.find((one) => one === location.hash.slice(1));
    if (named ?? location.hash === "") lesson.value = named ?? lessons[0];
  };
  read();
  addEventListener("popstate", read);
  effect(() => {
    const hash = `#${lesson.value}`;
    if (hash !== (location.hash || `#${lessons[0]}`)) history.pushState(null, "", hash);
  });
}

function More({ theory, studio }: { theory?: string; studio?: string }) {
  const view = (tab: string, text: string) => (studio ? <a href={`${studio}#v=1&tab=${tab}`}>{text}</a> : text);
  return (
    <ul class="links">
      <li>
        The studio{studio ? "" : " (npm run studio in the repository)"}: {view("filter", "take your own filters apart")}
        , {view("picture", "filter your own pictures")}, {view("layer", "count a layer")},{" "}
        {view("model", "separate a model")}.
      </li>
      {theory && (
        <li>
          <a href={theory}>The theory</a>: ranks, fewer terms than the rank, and the four splits of a layer.
        </li>
      )}
    </ul>
  );
}

const root = document.getElementById("learn")!;
follow();
render(
  <>
    <main>
      <LearnView more={<More {...root.dataset} />} />
    </main>
    <footer>
      <p>
        rank1. This page is one file: it loads nothing and sends nothing. A multiplication is one multiply-accumulate.
      </p>
    </footer>
  </>,
  root,
);
