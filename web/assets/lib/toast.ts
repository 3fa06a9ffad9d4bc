// What came of something the person did. A good outcome goes by itself; an error stays until it is read.

import { make } from "./dom";
import { shape } from "./states";

function place(): HTMLElement {
  let box = document.querySelector<HTMLElement>("#toasts");
  if (!box) {
    box = make("div");
    box.id = "toasts";
    box.setAttribute("role", "status");
    document.body.append(box);
  }
  return box;
}

/** How a sentence is shown. `state`: of what it tells; `seconds`: until it goes, none for one that is taken away. */
interface Manner {
  error?: boolean;
  state?: string;
  seconds?: number | null;
}

const SECONDS = 4;

/** Say it. Return what takes it away. */
export function say(sentence: string, { error = false, state = "", seconds = SECONDS }: Manner = {}): () => void {
  const close = make("button", { class: "plain icon-only", text: "×" });
  close.setAttribute("aria-label", "Dismiss");
  const mark = state ? [make("i", { class: `glyph ${shape(state)}` })] : [];
  const toast = make(
    "div",
    { class: error ? "toast error" : "toast" },
    ...mark,
    make("span", { text: sentence }),
    close,
  );
  if (error) toast.setAttribute("role", "alert");
  const end = () => toast.remove();
  close.addEventListener("click", end);
  place().append(toast);
  if (!error && seconds !== null) setTimeout(end, seconds * 1000);
  return end;
}

/** What came of it, where that is more than a sentence: the state that was found, how much went wrong. */
export interface Outcome {
  message: string;
  state?: string;
  failed?: number;
}

const TO_READ = 12; // seconds for what a check printed
const SOON = 300; // ms: what is done by then needs no "meanwhile"

/** Do something a person asked for; say what went wrong, if anything. Return whether it went well. */
export async function attempt(work: () => Promise<string | Outcome | undefined>, meanwhile = ""): Promise<boolean> {
  let end = () => {};
  const timer = meanwhile ? setTimeout(() => (end = say(meanwhile, { seconds: null })), SOON) : undefined;
  try {
    const came = await work();
    if (typeof came === "string") say(came);
    else if (came)
      say(came.message, { state: came.state, error: Boolean(came.failed), seconds: came.state ? TO_READ : SECONDS });
    return true;
  } catch (error) {
    say(error instanceof Error ? error.message : String(error), { error: true });
    return false;
  } finally {
    clearTimeout(timer);
    end();
  }
}
