// Lines as they come in: shown at once, or held back while somebody reads; each once; where some were left out stands a gap.

import type { Item, Line } from "./line";
import { Lines } from "./lines";

const MOST = 5000; // lines kept while they come in

export interface Taken {
  /** How many lines were new. */
  fresh: number;
  /** Whether lines at the beginning of what is shown were dropped, to make room. */
  dropped: boolean;
}

export class Stream {
  readonly lines = new Lines();
  readonly waiting = new Lines();
  following = true;
  private missing: number | null = 0; // lines left out before the next one that comes

  clear(): void {
    this.lines.clear();
    this.waiting.clear();
    this.missing = 0;
  }

  /** `count` lines (null: nobody counted) were left out before the next that comes. */
  skipped(count: number | null): void {
    this.missing = count === null || this.missing === null ? null : this.missing + count;
  }

  arrived(items: readonly Item[]): Taken {
    const target = this.following ? this.lines : this.waiting;
    const before = target.count;
    for (const item of items) this.take(item, target);
    const fresh = Math.max(0, target.count - before);
    return { fresh, dropped: this.bounded(target) };
  }

  /** Show what waits. */
  release(): Taken {
    const fresh = this.lines.take(this.waiting);
    return { fresh, dropped: this.bounded(this.lines) };
  }

  private take(item: Item, target: Lines): void {
    if (item.kind === "gap") {
      target.gap(item.skipped, item.from, item.to);
      return;
    }
    if (this.lines.has(item.id) || this.waiting.has(item.id)) return;
    const last = target.last ?? this.lines.last;
    if (this.missing !== 0 && last !== null) target.gap(this.missing, last.time, item.time);
    this.missing = 0;
    target.append([item]);
  }

  private bounded(target: Lines): boolean {
    const dropped = target.trimStart(MOST);
    if (target === this.waiting && dropped.length > 0) {
      const [first, last] = [dropped[0] as Line, dropped.at(-1) as Line];
      target.gapBefore(dropped.length, first.time, last.time);
    }
    return target === this.lines && dropped.length > 0;
  }
}
