// How fast lines come in: their number over the last few seconds.

const SECONDS = 5;

export class Pace {
  private counts: { at: number; lines: number }[] = [];

  constructor(private readonly now: () => number = () => performance.now()) {}

  note(lines: number): void {
    if (lines > 0) this.counts.push({ at: this.now(), lines });
  }

  reset(): void {
    this.counts = [];
  }

  /** Return lines per second. */
  rate(): number {
    const since = this.now() - SECONDS * 1000;
    this.counts = this.counts.filter((count) => count.at > since);
    return this.counts.reduce((sum, count) => sum + count.lines, 0) / SECONDS;
  }
}
