// What came of something the person did. A good outcome goes by itself; an error stays until it is read.

import { make } from "./dom";

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

export function say(sentence: string, error = false): void {
  const close = make("button", { class: "plain icon-only", text: "×" });
  close.setAttribute("aria-label", "Dismiss");
  const toast = make("div", { class: error ? "toast error" : "toast" }, make("span", { text: sentence }), close);
  if (error) toast.setAttribute("role", "alert");
  close.addEventListener("click", () => toast.remove());
  place().append(toast);
  if (!error) setTimeout(() => toast.remove(), 4000);
}

/** Do something a person asked for; say what went wrong, if anything. Return whether it went well. */
export async function attempt(work: () => Promise<string | undefined>): Promise<boolean> {
  try {
    const sentence = await work();
    if (sentence) say(sentence);
    return true;
  } catch (error) {
    say(error instanceof Error ? error.message : String(error), true);
    return false;
  }
}
