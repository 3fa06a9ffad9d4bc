// What the page shows, as its address says it: everything here can be shared as a link.

import { FIELDS, type Field, parse, words } from "./query";

export const RANGES = ["live", "15m", "1h", "24h", "7d"] as const;
export type Range = (typeof RANGES)[number] | "custom";

export interface View {
  filters: Partial<Record<Field, string[]>>;
  typed: string;
  highlight: string;
  range: Range;
  from: string | null;
  to: string | null;
  line: string | null;
  context: boolean;
}

/** Read the address of the page. Unknown parameters are left alone; a range that makes no sense is Live. */
export function read(path: string, search: string): View {
  const given = new URLSearchParams(search);
  const filters: View["filters"] = {};
  for (const field of FIELDS) {
    const values = given.getAll(field).filter((value) => value !== "");
    if (values.length > 0) filters[field] = [...new Set(values)];
  }
  const line = /\/logs\/([^/]+)$/.exec(path)?.[1] ?? null;
  return {
    filters,
    typed: given.get("q") ?? "",
    highlight: given.get("hl") ?? "",
    ...range(given),
    line: line === null ? null : decodeURIComponent(line),
    context: line !== null && !given.has("beside"),
  };
}

/** Read a range of time: by its name, or from one moment to another. */
export function range(given: URLSearchParams): Pick<View, "range" | "from" | "to"> {
  const [from, to] = [moment(given.get("from")), moment(given.get("to"))];
  if (from !== null || to !== null) return { range: "custom", from, to };
  const name = given.get("range");
  const known = RANGES.find((one) => one === name);
  return { range: known ?? "live", from: null, to: null };
}

function moment(text: string | null): string | null {
  return text !== null && !Number.isNaN(Date.parse(text)) ? text : null;
}

/** Return the address of a view. `line` open in the drawer beside the results is told apart from its context by `beside`. */
export function write(view: View): string {
  const query = new URLSearchParams();
  for (const field of FIELDS) for (const value of view.filters[field] ?? []) query.append(field, value);
  if (view.typed.trim() !== "") query.set("q", view.typed.trim());
  if (view.highlight.trim() !== "") query.set("hl", view.highlight.trim());
  if (view.range === "custom") {
    if (view.from !== null) query.set("from", view.from);
    if (view.to !== null) query.set("to", view.to);
  } else if (view.range !== "live") query.set("range", view.range);
  if (view.line !== null && !view.context) query.set("beside", "1");
  const tail = query.size > 0 ? `?${query}` : "";
  return view.line === null ? `/logs${tail}` : `/logs/${encodeURIComponent(view.line)}${tail}`;
}

/** Return the filters as the log server's routes take them (without the range). */
export function filters(view: View): Record<string, string> {
  const query = parse(view.typed);
  const found: Record<string, string> = {};
  for (const field of FIELDS) {
    const values = view.filters[field];
    if (values) found[field] = values.join(",");
  }
  if (words(query) !== "") found.q = words(query);
  if (query.regex !== null) found.regex = query.regex;
  return found;
}

/** Return the range as `from` and `to` in RFC 3339, for a moment that stands for now; Live is the last quarter of an hour. */
export function bounds(view: View, now: number): { from: string; to: string } {
  if (view.range === "custom") {
    const to = view.to ?? new Date(now).toISOString();
    return { from: view.from ?? new Date(Date.parse(to) - 3_600_000).toISOString(), to };
  }
  return { from: new Date(now - LENGTHS[view.range]).toISOString(), to: new Date(now).toISOString() };
}

const LENGTHS: Record<Exclude<Range, "custom">, number> = {
  live: 900_000,
  "15m": 900_000,
  "1h": 3_600_000,
  "24h": 86_400_000,
  "7d": 604_800_000,
};

/** Whether lines come in by themselves. */
export function live(view: View): boolean {
  return view.range === "live" && !(view.context && view.line !== null);
}

/** Names add up; of levels there is one: `warning` is warning and worse, `info,` is that level alone. */
export function withChip(view: View, field: Field, value: string): View {
  const values = field === "level" ? [value] : [...new Set([...(view.filters[field] ?? []), value])];
  return { ...view, filters: { ...view.filters, [field]: values } };
}

export function withoutChip(view: View, field: Field, value: string): View {
  const rest = (view.filters[field] ?? []).filter((one) => one !== value);
  const left = { ...view.filters };
  if (rest.length > 0) left[field] = rest;
  else delete left[field];
  return { ...view, filters: left };
}

/** A view of exactly the lines of a gap, under the same filters. */
export function gapView(view: View, from: string, to: string): View {
  return { ...view, range: "custom", from, to, line: null, context: false };
}
