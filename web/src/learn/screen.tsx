// What all screens have in common: a heading, a sentence, the drawing, what there is to do, and what is learned.
import type { ComponentChildren } from "preact";
import { done } from "./state.ts";

export interface Task {
  id: string;
  text: ComponentChildren;
}

interface Props {
  heading: string;
  lead: ComponentChildren;
  tasks: readonly Task[];
  learned: ComponentChildren;
  children: ComponentChildren;
}

export function Screen({ heading, lead, tasks, learned, children }: Props) {
  const finished = tasks.every(({ id }) => done.value.has(id));
  return (
    <>
      <header class="lead">
        <h1 id="lesson" tabIndex={-1}>
          {heading}
        </h1>
        <p>{lead}</p>
      </header>
      <ul class="tasks" aria-label="To do">
        {tasks.map(({ id, text }) => (
          <li key={id} class={done.value.has(id) ? "done" : ""}>
            <span class="tick" aria-hidden="true" />
            <span>
              {text}
              {done.value.has(id) && <span class="hidden"> (done)</span>}
            </span>
          </li>
        ))}
      </ul>
      <div class="panel lesson">{children}</div>
      <div role="status" class={finished ? "learned on" : "learned"}>
        {finished && (
          <p>
            <b>Learned.</b> {learned}
          </p>
        )}
      </div>
    </>
  );
}
