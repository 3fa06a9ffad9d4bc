// The problems: selection, keys, and rows that change as results come.

import { type Action, act, smallThings, targetOf } from "../lib/actions";
import { all, find, typing } from "../lib/dom";
import { keepFresh, refreshSoon } from "../lib/refresh";
import { followStates, patch } from "../lib/rows";

const chosen = new Set<string>();
let at = "";

const rows = (): HTMLElement[] => all("#rows > li");
const name = (row: HTMLElement): string => row.dataset.row ?? "";

function show(): void {
  const there = rows();
  for (const known of [...chosen]) if (!there.some((row) => name(row) === known)) chosen.delete(known);
  for (const row of there) {
    const box = find<HTMLInputElement>("input", row);
    if (box) box.checked = chosen.has(name(row));
    row.classList.toggle("chosen", chosen.has(name(row)));
    row.classList.toggle("at", name(row) === at);
  }
  const count = find("#chosen-count");
  if (count && chosen.size) count.textContent = `${chosen.size} selected`;
  else if (count) count.textContent = `${there.length} shown, worst first`;
  for (const button of all<HTMLButtonElement>("#chosen [data-act]")) button.disabled = chosen.size === 0;
  const every = find<HTMLInputElement>("#pick-all");
  if (every) {
    every.checked = chosen.size > 0 && chosen.size === there.length;
    every.indeterminate = chosen.size > 0 && chosen.size < there.length;
  }
}

function pick(row: HTMLElement, on = !chosen.has(name(row))): void {
  if (on) chosen.add(name(row));
  else chosen.delete(name(row));
}

function move(by: number): void {
  const there = rows();
  const now = there.findIndex((row) => name(row) === at);
  const next = there[Math.max(0, Math.min(there.length - 1, now < 0 ? 0 : now + by))];
  if (!next) return;
  at = name(next);
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
  show();
}

async function doIt(action: Action, on: HTMLElement[]): Promise<void> {
  if (await act(action, on.map(targetOf))) chosen.clear();
  show();
}

/** Those that are selected, else the one that the keys are at. */
const meant = (): HTMLElement[] => {
  const selected = rows().filter((row) => chosen.has(name(row)));
  return selected.length ? selected : rows().filter((row) => name(row) === at);
};

const ACTIONS: Record<string, Action> = { a: "acknowledge", d: "downtime", r: "recheck" };
const mayOperate = document.body.dataset.role !== "viewer";

document.addEventListener("change", (event) => {
  const box = event.target as HTMLInputElement;
  if (box.id === "pick-all") for (const row of rows()) pick(row, box.checked);
  const row = box.closest<HTMLElement>("#rows > li");
  if (row) pick(row, box.checked);
  show();
});
document.addEventListener("click", (event) => {
  const button = (event.target as Element).closest<HTMLElement>("[data-act]");
  if (!button) return;
  const row = button.closest<HTMLElement>("#rows > li");
  void doIt(button.dataset.act as Action, row ? [row] : meant());
});
document.addEventListener("keydown", (event) => {
  const box = event.target instanceof HTMLInputElement && event.target.type === "checkbox";
  if ((typing(event) && !box) || event.ctrlKey || event.metaKey || event.altKey || find("dialog[open]")) return;
  if (event.key === "j" || event.key === "k") move(event.key === "j" ? 1 : -1);
  else if (event.key === "x") for (const row of rows().filter((each) => name(each) === at)) pick(row);
  else if (event.key in ACTIONS && mayOperate && meant().length) {
    event.preventDefault();
    void doIt(ACTIONS[event.key]!, meant());
  } else if (event.key === "Enter" && event.target instanceof HTMLLIElement)
    find("a:last-of-type", event.target)?.click();
  show();
});
document.addEventListener("refreshed", show);

smallThings();
keepFresh();
followStates({ problems: "true" }, (state) => {
  if (!patch(state)) refreshSoon();
});
show();
