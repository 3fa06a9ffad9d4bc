// What the page asks the web server (pages/logs.py). Every failure is an Error with a sentence for the reader.

import { getJson } from "../lib/http";
import type { Bin } from "./histogram";
import { fromTuple, type Line, type LogRecord, type Tuple } from "./line";

export type Filters = Record<string, string>;
export type Range = Partial<Record<"from" | "to", string>>;

export interface Scanned {
  records: number;
  bytes: number;
}

export interface Page {
  lines: Line[];
  next: string | null;
  complete: boolean;
  scanned: Scanned;
}

export interface Value {
  value: string;
  count: number;
}

function address(path: string, query: Record<string, string | number | null> = {}): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== null) given.set(name, String(value));
  return `/logs/api/${path}?${given}`;
}

const line = (id: string): string => `lines/${encodeURIComponent(id)}`;

/** The next page of a search, newest lines first. */
export async function search(
  filters: Filters,
  range: Range,
  cursor: string | null,
  signal: AbortSignal,
): Promise<Page> {
  const query = { ...filters, ...range, order: "desc", cursor, limit: 200 };
  const page = await getJson<Omit<Page, "lines"> & { lines: Tuple[] }>(address("search", query), signal);
  return { ...page, lines: page.lines.map(fromTuple) };
}

/** A line between its neighbours in the same stream. */
export async function context(id: string, before: number, after: number, signal: AbortSignal): Promise<Line[]> {
  const page = await getJson<{ lines: Tuple[] }>(address(`${line(id)}/context`, { before, after }), signal);
  return page.lines.map(fromTuple);
}

export async function record(id: string, signal: AbortSignal): Promise<LogRecord> {
  return getJson<LogRecord>(address(line(id)), signal);
}

export async function histogram(
  filters: Filters,
  range: Range,
  bins: number,
  signal: AbortSignal,
): Promise<{ bins: Bin[]; exact: boolean }> {
  return getJson(address("histogram", { ...filters, ...range, bins }), signal);
}

export async function top(field: string, filters: Filters, range: Range, signal: AbortSignal): Promise<Value[]> {
  return (await getJson<{ items: Value[] }>(address("top", { ...filters, ...range, field }), signal)).items;
}

/** Which sources there are, and how many records each has. */
export async function sources(signal?: AbortSignal): Promise<{ node: string; source: string; records: number }[]> {
  return (await getJson<{ items: { node: string; source: string; records: number }[] }>(address("sources"), signal))
    .items;
}

/** How many records there are in all. */
export async function records(signal: AbortSignal): Promise<number> {
  return (await getJson<{ records: number }>(address("sources"), signal)).records;
}
