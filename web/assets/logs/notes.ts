// What the page tells in words: how it stands, what went wrong, what to do where there is nothing.

import { make } from "../lib/dom";
import type { Connection } from "../lib/live";
import { button, byId } from "./dom";
import type { Progress } from "./feed";
import { bytes, count, lines } from "./times";

export interface Emptiness {
  records: number;
  filtered: boolean;
  mode: "live" | "search" | "context";
}

const STATUS: Record<Connection, string> = {
  connecting: "Connecting…",
  connected: "Live",
  "catching up": "Catching up…",
  offline: "Not connected; it goes on by itself",
};

export class Notes {
  connection(state: Connection): void {
    const element = byId("logs-status");
    element.dataset.state = state;
    if (element.textContent !== STATUS[state]) element.textContent = STATUS[state];
  }

  rate(rate: number): void {
    const shown =
      rate === 0 ? "quiet" : rate < 10 ? `${rate.toFixed(1)} lines/s` : `${count(Math.round(rate))} lines/s`;
    byId("logs-rate").textContent = shown;
  }

  held(number: number): void {
    byId("logs-held").textContent = `${lines(number)} here`;
  }

  /** The number of lines in the range: "about" where it was not counted line by line. */
  total(number: number | null, exact: boolean, fault = ""): void {
    const element = byId("logs-total");
    element.textContent = number === null ? "" : `${exact ? "" : "about "}${lines(number)} in this range`;
    element.title = fault;
  }

  waiting(number: number): void {
    const chip = byId("logs-new");
    chip.hidden = number === 0;
    chip.textContent = `${count(number)} new ↓`;
  }

  progress(progress: Progress | null): void {
    byId("logs-progress").hidden = progress === null;
    if (progress === null) return;
    const read = `${lines(progress.scanned.records)}, ${bytes(progress.scanned.bytes)}`;
    byId("logs-progress-text").textContent = `Looked at ${read}: ${count(progress.found)} found so far`;
  }

  full(most: number): void {
    byId("logs-held").textContent = `${lines(most)} here, the most that fit; narrow the range to see others`;
  }

  /** A sentence that stays until it is no longer true or has been read. */
  error(sentence: string | null, again?: () => void): void {
    const box = byId("logs-error");
    box.hidden = sentence === null;
    box.replaceChildren();
    if (sentence === null) return;
    const close = button("×", "plain icon-only", () => this.error(null));
    close.setAttribute("aria-label", "Dismiss");
    box.replaceChildren(make("span", {}, sentence), ...(again ? [button("Try again", "small", again)] : []), close);
  }

  empty(state: Emptiness | null, actions?: { day: () => void; clear: () => void }): void {
    const box = byId("logs-empty");
    box.hidden = state === null;
    if (state === null || !actions) return;
    box.replaceChildren(...(state.records === 0 ? nothingYet() : nothingHere(state, actions)));
  }
}

function nothingYet(): HTMLElement[] {
  const example = make(
    "pre",
    {},
    "kind: log\nname: auth\nassign: {groups: [linux]}\npaths: [/var/log/auth.log]\nformat: syslog",
  );
  return [
    make("h2", {}, "No log lines yet"),
    make("p", {}, "A log source tells the nodes which files to follow. Put one into a file and apply it:"),
    example,
    make(
      "p",
      {},
      "nodeward apply -f logs.yaml — its lines appear here by themselves, a moment after they are written.",
    ),
  ];
}

function nothingHere(state: Emptiness, actions: { day: () => void; clear: () => void }): HTMLElement[] {
  const title = state.mode === "live" ? "Waiting for lines" : "No lines found";
  const what = state.filtered ? "that match the filters" : "";
  const text =
    state.mode === "live"
      ? `Lines ${what} appear here the moment they are written.`
      : `There are no lines ${what} in this range.`;
  const buttons = make("p", { class: "log-empty-buttons" });
  if (state.mode !== "context") buttons.append(button("Search the last 24 hours", "small", actions.day));
  if (state.filtered) buttons.append(button("Remove all filters", "small", actions.clear));
  return [make("h2", {}, title), make("p", {}, text.replace("  ", " ")), buttons];
}
