// How many lines the view has: over time, and of each node, source, host and level; looked at again while it is live.

import * as api from "./api";
import { byId, sentence } from "./dom";
import { Fields } from "./fields";
import { Histogram } from "./histogram";
import type { Notes } from "./notes";
import type { Field } from "./query";
import type { View } from "./view";
import * as views from "./view";

const REFRESH = 10_000; // milliseconds between two looks at the histogram while live
const REFRESH_FIELDS = 60_000;

export interface Chosen {
  range(from: string, to: string): void;
  value(field: Field, value: string): void;
  /** These are the values that a field has. */
  offer(field: Field, values: string[]): void;
}

export class Counts {
  private readonly histogram: Histogram;
  private readonly fields: Fields;
  private asking = new AbortController();
  private asked = 0;
  private fieldsAsked = 0;

  constructor(
    private readonly notes: Notes,
    chosen: Chosen,
  ) {
    this.histogram = new Histogram(byId<HTMLCanvasElement>("logs-histogram"), byId("logs-tip"), (from, to) =>
      chosen.range(from, to),
    );
    this.fields = new Fields(
      byId("logs-fields"),
      (field, value) => chosen.value(field, value),
      (field, values) => chosen.offer(field, values),
    );
    document.addEventListener("theme", () => this.histogram.repaint());
  }

  /** Count the lines of a view; with `all`, those of each value too. */
  async show(view: View, all: boolean): Promise<void> {
    this.asking.abort();
    this.asking = new AbortController();
    const { signal } = this.asking;
    this.asked = Date.now();
    const [filters, range] = [views.filters(view), views.bounds(view, Date.now())];
    if (all) void this.fields.load(filters, range, signal);
    try {
      const bins = Math.max(20, Math.min(240, Math.floor(byId("logs-histogram").clientWidth / 6)));
      const { bins: found, exact } = await api.histogram(filters, range, bins, signal);
      this.histogram.show(found, range.from, range.to);
      this.notes.total(
        found.reduce((sum, bin) => sum + bin.total, 0),
        exact,
      );
    } catch (error) {
      if (!signal.aborted) this.notes.total(null, false, sentence(error));
    }
  }

  /** Count anew where the last time is long ago. */
  refresh(view: View): void {
    if (Date.now() - this.asked < REFRESH) return;
    const all = Date.now() - this.fieldsAsked > REFRESH_FIELDS;
    if (all) this.fieldsAsked = Date.now();
    void this.show(view, all);
  }

  /** The lines in sight were written between these moments. */
  inSight(from: string | null, to: string | null): void {
    this.histogram.inSight(from, to);
  }
}
