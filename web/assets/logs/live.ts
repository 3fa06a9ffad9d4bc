// Live lines: the room `logs` of the live bridge (live_logs.py), as items of the list.

import { type Connection, join, watch } from "../lib/live";
import { fromTuple, type Item, type Tuple } from "./line";

const TRY_AGAIN = 10_000; // milliseconds, when the server had no room for another question

type Arrival = { line: Tuple } | { gap: { skipped: number; from: string; to: string } };

export interface Listener {
  /** Lines and gaps, in the order of arrival; those on screen may come again. */
  arrived(items: Item[]): void;
  /** `count` lines (null: nobody counted) were left out between what was there and what comes next. */
  skipped(count: number | null): void;
  connection(state: Connection): void;
  refused(sentence: string): void;
}

export class Live {
  private leave: (() => void) | null = null;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private gaps = 0;
  private turn = 0;

  constructor(private readonly listener: Listener) {
    watch((connection) => this.leave && listener.connection(connection));
  }

  /** Follow these filters from now on, beginning with the newest lines. */
  start(filters: Record<string, string>): void {
    this.stop();
    const turn = ++this.turn;
    this.leave = join<Arrival>("logs", filters, {
      news: ({ items, skipped }) => {
        if (turn !== this.turn) return;
        if (skipped > 0) this.listener.skipped(skipped);
        this.listener.arrived(items.map((item) => this.item(item)));
      },
      gap: () => {
        this.listener.skipped(null); // too much was missed: go on with the newest lines
        this.start(filters);
      },
      refused: (sentence) => {
        this.listener.refused(sentence);
        this.retry = setTimeout(() => this.start(filters), TRY_AGAIN);
      },
    });
  }

  stop(): void {
    this.turn++;
    this.leave?.();
    this.leave = null;
    clearTimeout(this.retry);
  }

  private item(arrival: Arrival): Item {
    if ("line" in arrival) return fromTuple(arrival.line);
    return { kind: "gap", id: `left-out-${++this.gaps}`, ...arrival.gap };
  }
}
