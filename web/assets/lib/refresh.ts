// A page's content, fetched again and merged into what is on screen: focus, open menus, what is selected and what a page
// marked with data-morph="keep" stay. A list under the pointer does not move: it waits until the pointer has left.

import { Idiomorph } from "idiomorph";
import { all, find } from "./dom";
import { getFragment } from "./http";
import { join } from "./live";

const SOONEST = 700; // ms between two refreshes
const LONGEST_HOLD = 15_000; // ms that a hovered list may stay as it was

const kept = (node: Node): boolean =>
  node instanceof Element && node.matches("[data-morph=keep], dialog, input, select");

let timer = 0;
let last = 0;
let heldSince = 0;
let running = false;
let again = false;

const held = (): boolean => {
  if (!find("[data-hold]:hover") || document.hidden) {
    heldSince = 0;
    return false;
  }
  heldSince ||= Date.now();
  return Date.now() - heldSince < LONGEST_HOLD;
};

async function run(): Promise<void> {
  timer = 0;
  if (held()) {
    timer = window.setTimeout(run, 250);
    return;
  }
  if (running) {
    again = true;
    return;
  }
  running = true;
  heldSince = 0;
  try {
    merge(await getFragment(location.href));
  } catch {
    // The live indicator says who is away; the next news tries again.
  }
  running = false;
  last = Date.now();
  if (again) {
    again = false;
    refreshSoon();
  }
}

function merge(html: string): void {
  const main = find("main");
  if (!main) return;
  const before = new Set(all("[data-row]").map((row) => row.dataset.row));
  Idiomorph.morph(main, html, {
    morphStyle: "innerHTML",
    callbacks: {
      beforeNodeMorphed: (old: Node) => !kept(old),
      beforeAttributeUpdated: (name: string, node: Node) => !(name === "open" && node instanceof HTMLDetailsElement),
    },
  });
  if (before.size) for (const row of all("li[data-row]")) row.classList.toggle("arrived", !before.has(row.dataset.row));
  document.dispatchEvent(new CustomEvent("refreshed"));
}

/** Fetch the page's content again, in a moment. */
export function refreshSoon(): void {
  if (timer) return;
  timer = window.setTimeout(run, Math.max(150, SOONEST - (Date.now() - last)));
}

/** Refresh whenever the monitor has events (of a node or service), and every `seconds` besides. */
export function keepFresh(filters: Record<string, string> = {}, seconds = 60): void {
  join("events", filters, { news: ({ items, skipped }) => items.length + skipped && refreshSoon(), gap: refreshSoon });
  setInterval(() => document.hidden || refreshSoon(), seconds * 1000);
}
