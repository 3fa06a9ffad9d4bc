// One row of the list: a line, or the mark of a gap.

import { make } from "../lib/dom";
import { drawn } from "./dom";
import { type Gap, type Line, permalink, tone } from "./line";
import { pieces, type Span } from "./text";
import { clock, count, full, lines } from "./times";

const SHORT = 1200; // characters that a row without wrapping can show at all, on the widest screen

/** What a row's look depends on beside its line. */
export interface Look {
  dated: boolean;
  wrap: boolean;
  find: (plain: string) => Span[];
  gapLink: (gap: Gap) => string;
}

export function lineRow(line: Line, look: Look): HTMLElement {
  const row = make(
    "div",
    { class: `log-row tone-${tone(line.level)}` },
    time(line, look),
    node(line),
    origin(line),
    level(line),
    message(line, look),
  );
  row.setAttribute("role", "row");
  return row;
}

function cell(classes: string, ...contents: (Node | string)[]): HTMLElement {
  const element = make("span", { class: classes }, ...contents);
  element.setAttribute("role", "gridcell");
  return element;
}

function time(line: Line, look: Look): HTMLElement {
  const moment = make("time", {}, clock(line.time, look.dated));
  moment.dateTime = line.time;
  const link = make("a", {}, moment);
  link.href = permalink(line.id);
  link.title = `${full(line.time)} · ${line.time} · link to this line`;
  link.tabIndex = -1;
  return cell("log-time", link);
}

function node(line: Line): HTMLElement {
  const element = cell("log-node", line.node);
  element.title = line.host && line.host !== line.node ? `${line.node} (host ${line.host})` : line.node;
  return element;
}

function origin(line: Line): HTMLElement {
  const process = line.ident === null ? "" : line.pid === null ? line.ident : `${line.ident}[${line.pid}]`;
  const element = cell("log-origin", make("span", { class: "log-source" }, line.source));
  if (line.ident !== null && line.ident !== line.source)
    element.append(make("span", { class: "log-ident" }, line.ident));
  element.title = process ? `${line.source} · ${process}` : line.source;
  return element;
}

function level(line: Line): HTMLElement {
  return cell("log-level", line.level ?? "–");
}

function message(line: Line, look: Look): HTMLElement {
  const shown = look.wrap ? line.message : line.message.slice(0, SHORT);
  const text = make("span", { class: "log-text" }, ...drawn(pieces(shown, look.find)));
  const element = cell("log-message", text);
  if (line.faulty) element.append(badge("unparsed", "The line did not fit its format; it is kept as it was read."));
  if (line.cut > 0) element.append(badge(`+${count(line.cut)} characters`, "The details have all of it."));
  return element;
}

function badge(text: string, title: string): HTMLElement {
  const element = make("span", { class: "log-badge" }, text);
  element.title = title;
  return element;
}

export function gapRow(gap: Gap, look: Look): HTMLElement {
  const link = make("a", {}, "open in search");
  link.href = look.gapLink(gap);
  const number = gap.skipped === null ? "Some lines" : lines(gap.skipped);
  const row = make("div", { class: "log-row log-gap" }, cell("log-gap-text", `${number} skipped — `, link));
  row.setAttribute("role", "row");
  return row;
}
