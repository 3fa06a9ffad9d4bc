// Where lines come from: a search in a range, or the neighbours of one line. Both give pages in the order of time.

import * as api from "./api";
import type { Line } from "./line";

/** What a fetch has come to so far. */
export interface Progress {
  found: number;
  scanned: api.Scanned;
}

export interface Feed {
  /** Return the lines before those given so far, or null if there are none. The first call gives the newest. */
  older(): Promise<Line[] | null>;
  /** Return the lines after those given so far, or null if there are none. */
  newer(): Promise<Line[] | null>;
}

const ENOUGH = 100; // lines with which a page is shown, though the log server has not looked at all of the range yet

/** A search, newest lines first. Long scans come in slices: each is a request, and all of it can be cancelled. */
export class Search implements Feed {
  private cursor: string | null = null;
  private done = false;

  constructor(
    private readonly filters: api.Filters,
    private readonly range: api.Range,
    private readonly signal: AbortSignal,
    private readonly progress: (progress: Progress | null) => void,
  ) {}

  async older(): Promise<Line[] | null> {
    if (this.done) return null;
    const found: Line[] = [];
    const scanned = { records: 0, bytes: 0 };
    try {
      for (;;) {
        const page = await api.search(this.filters, this.range, this.cursor, this.signal);
        found.push(...page.lines);
        this.cursor = page.next;
        this.done = page.next === null;
        scanned.records += page.scanned.records;
        scanned.bytes += page.scanned.bytes;
        if (this.done || page.complete || found.length >= ENOUGH) return found.reverse();
        this.progress({ found: found.length, scanned });
      }
    } finally {
      this.progress(null);
    }
  }

  async newer(): Promise<Line[] | null> {
    return null; // a range has an end
  }
}

/** What lies before a line that is held. */
export function before(
  line: Line,
  filters: api.Filters,
  signal: AbortSignal,
  progress: (progress: Progress | null) => void,
): Search {
  const to = new Date(Date.parse(line.time) + 1).toISOString();
  return new Search(filters, { to }, signal, progress);
}

const STEP = 100;

/** The stream that a line stands in, from that line outwards. */
export class Surroundings implements Feed {
  private first: string;
  private last: string;

  constructor(
    id: string,
    private readonly signal: AbortSignal,
  ) {
    this.first = this.last = id;
  }

  /** Return the line with its neighbours on both sides. */
  async begin(): Promise<Line[]> {
    const lines = await api.context(this.first, STEP, STEP, this.signal);
    this.reach(lines);
    return lines;
  }

  async older(): Promise<Line[] | null> {
    return this.beyond(await api.context(this.first, STEP, 0, this.signal));
  }

  async newer(): Promise<Line[] | null> {
    return this.beyond(await api.context(this.last, 0, STEP, this.signal), "newer");
  }

  private beyond(lines: Line[], side: "older" | "newer" = "older"): Line[] | null {
    const known = side === "older" ? this.first : this.last;
    const fresh = lines.filter((line) => line.id !== known);
    if (fresh.length === 0) return null;
    if (side === "older") this.first = (fresh[0] as Line).id;
    else this.last = (fresh.at(-1) as Line).id;
    return fresh;
  }

  private reach(lines: Line[]): void {
    this.first = lines[0]?.id ?? this.first;
    this.last = lines.at(-1)?.id ?? this.last;
  }
}
