// What the log page does with elements, beside what every page does (lib/dom). Text goes in as text, here and everywhere.

import { make } from "../lib/dom";
import type { Piece } from "./text";

/** Return the element of the page with that id. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found as T;
}

export function button(
  label: string,
  classes: string,
  action: (event: MouseEvent) => void,
  title = "",
): HTMLButtonElement {
  const element = make("button", { class: classes, title }, label);
  element.type = "button";
  element.addEventListener("click", action);
  return element;
}

/** Return the pieces of a message as nodes. */
export function drawn(pieces: Piece[]): Node[] {
  return pieces.map(({ text, classes }) =>
    classes.length === 0 ? document.createTextNode(text) : make("span", { class: classes.join(" "), text }),
  );
}

/** Put a text on the clipboard; return whether the browser let us. */
export async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copiedBySelection(text); // a page without https has no clipboard
  }
}

function copiedBySelection(text: string): boolean {
  const area = make("textarea", { class: "visually-hidden" });
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}

/** Return a function that calls `action` once, `wait` milliseconds after it was called last. */
export function settled<A extends unknown[]>(wait: number, action: (...given: A) => void): (...given: A) => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...given), wait);
  };
}

/** Return what went wrong as a sentence for the reader. */
export function sentence(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const problems = "problems" in error && Array.isArray(error.problems) ? error.problems : [];
  return [error.message, ...problems.map((one) => `${one.path}: ${one.message}`)].join(" ");
}
