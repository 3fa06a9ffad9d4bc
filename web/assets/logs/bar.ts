// The query bar: chips for the fields, free text beside them, the range, the highlight.

import { make } from "../lib/dom";
import { button, byId, settled } from "./dom";
import { chip, FIELDS, type Field, fault } from "./query";
import { forInput } from "./times";
import { bounds, live, RANGES, type Range, type View, withChip, withoutChip } from "./view";

const TYPING = 300; // milliseconds of rest after which what was typed is asked

export interface Bar {
  /** Somebody changed the view by the bar. */
  changed(view: View): void;
  /** Somebody types: for what is on screen, before anything is asked. */
  typing(text: string): void;
  complain(sentence: string | null): void;
}

/** Binds the controls above the list to a view. */
export class Controls {
  private readonly typed = byId<HTMLInputElement>("logs-q");
  private readonly highlight = byId<HTMLInputElement>("logs-highlight");
  private readonly chips = byId("logs-chips");
  private readonly level = byId<HTMLSelectElement>("logs-level");
  private readonly custom = byId<HTMLDetailsElement>("logs-custom");
  private readonly from = byId<HTMLInputElement>("logs-from");
  private readonly to = byId<HTMLInputElement>("logs-to");
  private readonly names = byId<HTMLDataListElement>("logs-names");
  private readonly known = new Map<Field, string[]>();
  private view: View;

  constructor(
    view: View,
    private readonly bar: Bar,
  ) {
    this.view = view;
    this.bindTyping();
    this.bindRanges();
    this.level.addEventListener("change", () => this.levelPicked(this.level.value));
    this.highlight.addEventListener(
      "input",
      settled(TYPING, () => this.change({ ...this.view, highlight: this.highlight.value })),
    );
  }

  /** Show a view. The text under the cursor is left alone while somebody types in it. */
  show(view: View): void {
    this.view = view;
    if (document.activeElement !== this.typed || this.typed.value.trim() !== view.typed.trim())
      this.typed.value = view.typed;
    if (document.activeElement !== this.highlight) this.highlight.value = view.highlight;
    this.level.value = view.filters.level?.[0] ?? "";
    this.chips.replaceChildren(...this.chipElements());
    this.showRange();
  }

  focus(): void {
    this.typed.focus();
    this.typed.select();
  }

  /** Offer the names of a field while somebody types. */
  offer(field: Field, values: string[]): void {
    this.known.set(field, values);
    const options = [...this.known].flatMap(([name, known]) =>
      known.map((value) => `${name}:${/\s/.test(value) ? `"${value}"` : value}`),
    );
    this.names.replaceChildren(...options.map((value) => Object.assign(make("option"), { value })));
  }

  private change(view: View): void {
    this.view = view;
    this.bar.changed(view);
  }

  private bindTyping(): void {
    const ask = settled(TYPING, () => this.ask());
    this.typed.addEventListener("input", (event) => {
      const offered = event instanceof InputEvent && event.inputType === "insertReplacementText";
      if ((offered || /\s$/.test(this.typed.value)) && this.takeChip()) return;
      this.bar.typing(this.typed.value);
      ask();
    });
    this.typed.addEventListener("keydown", (event) => this.key(event));
  }

  private key(event: KeyboardEvent): void {
    if (event.key === "Enter") {
      event.preventDefault();
      if (!this.takeChip()) this.ask();
    } else if (event.key === "Escape") {
      event.preventDefault(); // which would empty it
      this.typed.blur();
    } else if (event.key === "Backspace" && this.typed.value === "") this.dropLast();
  }

  /** Turn `field:value` in the text into a chip; return whether there was one. */
  private takeChip(): boolean {
    const done = chip(this.typed.value);
    if (!done) return false;
    this.typed.value = done.rest;
    this.change(withChip({ ...this.view, typed: done.rest }, done.field, done.value));
    return true;
  }

  private dropLast(): void {
    const last = this.pairs().at(-1);
    if (last) this.change(withoutChip(this.view, ...last));
  }

  private ask(): void {
    const wrong = fault(this.typed.value);
    this.bar.complain(wrong);
    if (wrong === null && this.typed.value.trim() !== this.view.typed.trim())
      this.change({ ...this.view, typed: this.typed.value });
  }

  private pairs(): [Field, string][] {
    return FIELDS.flatMap((field) => (this.view.filters[field] ?? []).map((value): [Field, string] => [field, value]));
  }

  private chipElements(): HTMLElement[] {
    return this.pairs().map(([field, value]) => {
      const label = field === "level" && !value.includes(",") ? "level ≥" : field;
      const drop = button("×", "log-chip-drop", () => this.change(withoutChip(this.view, field, value)));
      drop.setAttribute("aria-label", `Remove ${field} ${value}`);
      return make(
        "span",
        { class: "log-chip" },
        make("span", { class: "log-chip-name" }, label),
        make("span", { class: "log-chip-value" }, value.replace(/,$/, "")),
        drop,
      );
    });
  }

  private levelPicked(level: string): void {
    const without = withoutChip(this.view, "level", this.view.filters.level?.[0] ?? "");
    this.change(level === "" ? without : withChip(without, "level", level));
  }

  private bindRanges(): void {
    for (const name of RANGES) {
      byId(`logs-range-${name}`).addEventListener("click", () => this.rangePicked(name));
    }
    byId<HTMLFormElement>("logs-custom-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.customPicked();
    });
    this.custom.addEventListener("toggle", () => this.custom.open && this.fillCustom());
  }

  private rangePicked(name: Range): void {
    this.custom.open = false;
    this.change({ ...this.view, range: name, from: null, to: null, line: null, context: false });
  }

  private customPicked(): void {
    const [from, to] = [new Date(this.from.value), new Date(this.to.value)];
    if (!(from < to)) {
      this.bar.complain("The range ends before it begins: choose a later end.");
      return;
    }
    this.custom.open = false;
    this.bar.complain(null);
    const range = { range: "custom" as const, from: from.toISOString(), to: to.toISOString() };
    this.change({ ...this.view, ...range, line: null, context: false });
  }

  private fillCustom(): void {
    const now = bounds(this.view, Date.now());
    this.from.value = forInput(now.from);
    this.to.value = forInput(now.to);
  }

  private showRange(): void {
    for (const name of RANGES) {
      byId(`logs-range-${name}`).setAttribute(
        "aria-pressed",
        String(name === this.view.range && (name !== "live" || live(this.view))),
      );
    }
    this.custom.classList.toggle("chosen", this.view.range === "custom");
  }
}
