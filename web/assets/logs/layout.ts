// The split view as its address says it: two to four questions, one range for all of them.

import { chip, FIELDS, parse, words } from "./query";
import { RANGES, type Range, range, type View, withChip } from "./view";

const LEAST = 2;
export const MOST = 4;

export interface Layout {
  /** What each pane asks, as it is typed: `node:web-1 level:warning timeout`. */
  panes: string[];
  highlight: string;
  range: Range;
  from: string | null;
  to: string | null;
}

/** Read the address of the split view. There are never fewer than two panes, and never more than four. */
export function read(search: string): Layout {
  const given = new URLSearchParams(search);
  const panes = given.getAll("pane").slice(0, MOST);
  while (panes.length < LEAST) panes.push("");
  return { panes, highlight: given.get("hl") ?? "", ...range(given) };
}

/** Return the address of a layout. */
export function write(layout: Layout): string {
  const query = new URLSearchParams();
  for (const pane of layout.panes) query.append("pane", pane.trim());
  if (layout.highlight.trim() !== "") query.set("hl", layout.highlight.trim());
  if (layout.range === "custom") {
    if (layout.from !== null) query.set("from", layout.from);
    if (layout.to !== null) query.set("to", layout.to);
  } else if (layout.range !== "live") query.set("range", layout.range);
  return `/logs/split?${query}`;
}

/** Return the view of the log page that shows what one pane does. */
export function viewOf(layout: Layout, pane: number): View {
  const { highlight, from, to } = layout;
  let view: View = { filters: {}, typed: "", highlight, range: layout.range, from, to, line: null, context: false };
  let rest = layout.panes[pane] ?? "";
  for (let found = chip(rest); found; found = chip(rest)) {
    view = withChip(view, found.field, found.value);
    rest = found.rest;
  }
  return { ...view, typed: rest.trim() };
}

/** Return what a view asks, as one types it. */
export function typedOf(view: View): string {
  const chips = FIELDS.flatMap((field) =>
    (view.filters[field] ?? []).map((value) => `${field}:${/\s/.test(value) ? `"${value}"` : value}`),
  );
  return [...chips, view.typed.trim()].filter((part) => part !== "").join(" ");
}

/** Return the address of the split view that begins with what a view shows, and an empty pane beside it. */
export function splitOf(view: View): string {
  const { highlight, range: named, from, to } = view;
  return write({
    panes: [typedOf(view), ""],
    highlight,
    range: RANGES.includes(named as never) ? named : "custom",
    from,
    to,
  });
}

/** Return a short name for what a pane shows. */
export function nameOf(typed: string): string {
  const view = viewOf({ panes: [typed], highlight: "", range: "live", from: null, to: null }, 0);
  const values = FIELDS.flatMap((field) => view.filters[field] ?? []);
  const query = parse(view.typed);
  const asked = [...values, words(query), query.regex === null ? "" : `/${query.regex}/`].filter((part) => part !== "");
  return asked.join(" ") || "All lines";
}
