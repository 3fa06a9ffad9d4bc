// The fields panel: the most frequent values of each field in what is shown; a click narrows to one.

import { make } from "../lib/dom";
import * as api from "./api";
import { button, sentence } from "./dom";
import { tone } from "./line";
import { FIELDS, type Field } from "./query";
import { count } from "./times";

const MOST = 8;
const TITLES: Record<Field, string> = {
  level: "Level",
  node: "Node",
  source: "Source",
  ident: "Program",
  host: "Host",
};
const ORDER: Field[] = ["level", "node", "source", "ident", "host"];

export class Fields {
  private readonly parts = new Map<Field, HTMLElement>();

  constructor(
    root: HTMLElement,
    private readonly picked: (field: Field, value: string) => void,
    private readonly known: (field: Field, values: string[]) => void,
  ) {
    for (const field of ORDER) {
      const list = make("ul", { class: "log-values" });
      const part = make("section", { class: "log-field" }, make("h2", {}, TITLES[field]), list);
      this.parts.set(field, list);
      root.append(part);
    }
  }

  /** Ask for the values of all fields; each appears as it comes. */
  async load(filters: api.Filters, range: api.Range, signal: AbortSignal): Promise<void> {
    await Promise.all(FIELDS.map((field) => this.one(field, filters, range, signal)));
  }

  private async one(field: Field, filters: api.Filters, range: api.Range, signal: AbortSignal): Promise<void> {
    try {
      const values = await api.top(field, filters, range, signal);
      this.show(field, values);
      this.known(
        field,
        values.map((one) => one.value),
      );
    } catch (error) {
      if (!signal.aborted) this.note(field, sentence(error));
    }
  }

  private show(field: Field, values: api.Value[]): void {
    const most = Math.max(1, ...values.map((one) => one.count));
    const rows = values.slice(0, MOST).map((one) => this.value(field, one, most));
    if (rows.length === 0) this.note(field, "none");
    else this.parts.get(field)?.replaceChildren(...rows);
  }

  private note(field: Field, text: string): void {
    this.parts.get(field)?.replaceChildren(make("li", { class: "log-none" }, text));
  }

  private value(field: Field, one: api.Value, most: number): HTMLElement {
    const bar = make("span", { class: "log-share" });
    bar.style.width = `${(one.count / most) * 100}%`;
    const pick = button("", "log-value", () => this.picked(field, one.value), `only ${field} ${one.value}`);
    if (field === "level") pick.append(make("i", { class: `log-swatch tone-${tone(one.value)}` }));
    pick.append(
      bar,
      make("span", { class: "log-value-name" }, one.value),
      make("span", { class: "log-value-count" }, count(one.count)),
    );
    return make("li", {}, pick);
  }
}
