// Copyable code of what is shown: the text in some languages, and a button that copies it.
import { useEffect, useState } from "preact/hooks";
import type { Snippets } from "../snippets.ts";
import { Choices } from "./controls.tsx";

const languages = [
  ["javascript", "JavaScript"],
  ["command", "Command line"],
  ["numpy", "NumPy"],
  ["opencv", "OpenCV"],
  ["json", "JSON"],
] as const;

export function Copy({ snippets }: { snippets: Snippets }) {
  const [wanted, setLanguage] = useState<keyof Snippets>("javascript");
  const language = snippets[wanted] === undefined ? "javascript" : wanted;
  const offered = languages.filter(([one]) => snippets[one] !== undefined);
  const [state, setState] = useState<"" | "copied" | "refused">("");
  const text = snippets[language]!;
  useEffect(() => setState(""), [text]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setState("copied");
    } catch {
      setState("refused");
    }
  };
  return (
    <section class="copy" aria-label="Copy">
      <div class="row">
        <Choices label="Take it with you" value={language} options={offered} onChange={(one) => setLanguage(one)} />
        <button type="button" onClick={copy}>
          Copy
        </button>
        <span role="status">
          {state === "copied" ? "Copied." : state === "refused" ? "The browser refused; select the text instead." : ""}
        </span>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: long text scrolls, by the keyboard too */}
      <pre tabIndex={0}>{text}</pre>
    </section>
  );
}
