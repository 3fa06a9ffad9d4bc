// The drawer: everything about one line.

import { make } from "../lib/dom";
import * as api from "./api";
import { button, copy, drawn, sentence } from "./dom";
import { type Line, type LogRecord, permalink, tone } from "./line";
import type { Field } from "./query";
import { pieces, type Span } from "./text";
import { count, full } from "./times";

const CUT = 4096; // characters of a message that are shown at once

export interface Actions {
  filter(field: Field, value: string): void;
  context(id: string): void;
  closed(): void;
  find(plain: string): Span[];
}

export class Drawer {
  private id: string | null = null;
  private asking: AbortController | null = null;
  private readonly body: HTMLElement;

  constructor(
    private readonly root: HTMLElement,
    private readonly actions: Actions,
  ) {
    this.body = root.querySelector<HTMLElement>(".log-drawer-body") ?? root;
    root.querySelector(".log-drawer-close")?.addEventListener("click", () => this.close());
  }

  get open(): boolean {
    return !this.root.hidden;
  }

  get line(): string | null {
    return this.id;
  }

  /** Show a line: what is known at once, everything as soon as it has been fetched. */
  async show(id: string, known: Line | null): Promise<void> {
    this.asking?.abort();
    this.asking = new AbortController();
    const { signal } = this.asking;
    this.id = id;
    this.root.hidden = false;
    if (known) this.body.replaceChildren(this.head(known), this.message(known.message));
    try {
      const record = await api.record(id, signal);
      if (!signal.aborted) this.fill(record);
    } catch (error) {
      if (!signal.aborted) this.fail(sentence(error));
    }
  }

  close(): void {
    if (!this.open) return;
    this.asking?.abort();
    this.root.hidden = true;
    this.id = null;
    this.actions.closed();
  }

  private fail(text: string): void {
    const note = make("p", { class: "log-fault" }, text);
    note.setAttribute("role", "alert");
    this.body.append(note);
  }

  private fill(record: LogRecord): void {
    const parts = [this.head(record), this.buttons(record), this.message(record.message || record.raw)];
    if (record.parse_error) parts.push(make("p", { class: "log-note" }, `Not parsed: ${record.parse_error}`));
    parts.push(this.facts(record));
    if (record.raw !== record.message) parts.push(this.raw(record));
    this.body.replaceChildren(...parts);
  }

  private head(line: Line | LogRecord): HTMLElement {
    const level = make("span", { class: `log-tag tone-${tone(line.level)}` }, line.level ?? "no level");
    const moment = make("time", {}, full(line.time));
    moment.dateTime = line.time;
    moment.title = line.time;
    return make("header", { class: "log-drawer-head" }, level, moment);
  }

  private buttons(record: LogRecord): HTMLElement {
    const link = new URL(permalink(record.id), location.href).href;
    return make(
      "div",
      { class: "log-drawer-buttons" },
      button("Context", "small", () => this.actions.context(record.id), "The lines around it in the same stream (c)"),
      copier("Copy link", () => link),
      copier("Copy line", () => record.raw),
      copier("Copy JSON", () => JSON.stringify(record, null, 2)),
    );
  }

  private message(text: string): HTMLElement {
    const shown = make("pre", { class: "log-full" });
    shown.tabIndex = 0;
    shown.setAttribute("aria-label", "Message");
    shown.append(...drawn(pieces(text.slice(0, CUT), this.actions.find, true)));
    const part = make("section", { class: "log-drawer-message" }, shown);
    if (text.length > CUT) part.append(this.showAll(text, shown));
    return part;
  }

  private showAll(text: string, shown: HTMLElement): HTMLElement {
    const more = button(`Show all ${count(text.length)} characters`, "small", () => {
      shown.replaceChildren(...drawn(pieces(text, undefined, true)));
      more.remove();
    });
    return more;
  }

  private facts(record: LogRecord): HTMLElement {
    const list = make("dl", { class: "log-facts" });
    const names: [string, string | number | null, Field | null][] = [
      ["node", record.node, "node"],
      ["source", record.source, "source"],
      ["host", record.host, "host"],
      ["program", record.ident, "ident"],
      ["pid", record.pid, null],
      ["level", record.level, "level"],
      ["time", record.time, null],
      ["received", record.received, null],
      ["file", record.path, null],
    ];
    for (const [name, value, field] of names) if (value !== null) list.append(...this.fact(name, String(value), field));
    for (const [name, value] of Object.entries(record.fields)) list.append(...this.fact(name, written(value), null));
    return list;
  }

  private fact(name: string, value: string, field: Field | null): HTMLElement[] {
    const text = make("span", { class: "log-fact" }, ...drawn(pieces(value)));
    const shown = make("dd", {}, text);
    if (field) {
      const label = `Only ${name} ${value}`;
      const pick = button("+ filter", "log-pick", () => this.actions.filter(field, value), label);
      pick.setAttribute("aria-label", `+ filter: ${label.toLowerCase()}`);
      shown.append(pick);
    }
    return [make("dt", {}, name), shown];
  }

  private raw(record: LogRecord): HTMLElement {
    const text = make("pre", { class: "log-full" }, ...drawn(pieces(record.raw.slice(0, CUT), undefined, true)));
    text.tabIndex = 0;
    text.setAttribute("aria-label", "The line as it was read");
    const part = make("details", { class: "log-raw" }, make("summary", {}, "As it was read"), text);
    if (record.raw.length > CUT) part.append(this.showAll(record.raw, text));
    if (record.raw_base64)
      part.append(make("p", { class: "log-note" }, "Its bytes are not all UTF-8; those that are not stand as \\xNN."));
    return part;
  }
}

function written(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function copier(label: string, text: () => string): HTMLElement {
  const element = button(label, "small", async () => {
    element.textContent = (await copy(text())) ? "Copied" : "Not allowed here";
    setTimeout(() => {
      element.textContent = label;
    }, 1500);
  });
  return element;
}
