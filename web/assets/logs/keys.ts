// The page's own keys. They come before those of the frame (`/` is the query here, not the search for nodes), and are left
// alone while somebody types, in a dialog, with Ctrl, Alt or Meta, and just after the frame's `g`.

import { make, typing } from "../lib/dom";

export interface Shortcut {
  keys: string[];
  /** How the list names it; "" where another entry tells of it too. */
  shown: string;
  does: string;
  action: () => void;
}

const GOING = 1000; // milliseconds after `g` in which a letter means a page

/** Let the shortcuts work, and list them in a table. */
export function bind(shortcuts: Shortcut[], table: HTMLElement): void {
  let going = Number.NEGATIVE_INFINITY;
  const pressed = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.altKey || event.metaKey || typing(event)) return;
    const found = shortcuts.find((one) => one.keys.includes(event.key));
    if (found && event.timeStamp - going >= GOING && !(event.key === "Enter" && onControl(event))) {
      event.preventDefault();
      event.stopPropagation();
      found.action();
    }
    going = event.key === "g" ? event.timeStamp : Number.NEGATIVE_INFINITY;
  };
  document.addEventListener("keydown", pressed, { capture: true });
  table.replaceChildren(...shortcuts.filter((one) => one.shown !== "").map(row));
}

/** Whether Enter belongs to a link or button. */
function onControl(event: KeyboardEvent): boolean {
  return event.target instanceof Element && event.target.closest("a, button, summary") !== null;
}

function row(shortcut: Shortcut): HTMLElement {
  const caps = shortcut.shown.split(" ").flatMap((name) => [make("kbd", { text: name }), " "]);
  return make("tr", {}, make("td", {}, ...caps), make("td", { text: shortcut.does }));
}
