// What was typed into the query bar, understood: field:value chips, words, "phrases", -exclusions and one /regex/.

import type { Span } from "./text";

export const FIELDS = ["node", "source", "host", "ident", "level"] as const;
export type Field = (typeof FIELDS)[number];

export interface Term {
  text: string;
  excluded: boolean;
  phrase: boolean;
}

export interface Query {
  terms: Term[];
  regex: string | null;
}

// An optional minus and a quoted phrase (its end may still be missing while it is typed), or a stretch without blanks.
const TOKEN = /(-?)"((?:[^"\\]|\\.)*)"?|(\S+)/g;
const REGEX = /(^|\s)\/((?:[^/\\]|\\.)+)\/(?=\s|$)/;

/** Read the text of the bar. */
export function parse(typed: string): Query {
  const regex = REGEX.exec(typed);
  const rest = regex ? typed.replace(regex[0], " ") : typed;
  const terms = [...rest.matchAll(TOKEN)].map(term).filter((found) => found.text !== "");
  return { terms, regex: regex ? (regex[2] as string).replaceAll("\\/", "/") : null };
}

function term(match: RegExpMatchArray): Term {
  if (match[3] === undefined) return { text: unescaped(match[2] ?? ""), excluded: match[1] === "-", phrase: true };
  const excluded = match[3].length > 1 && match[3].startsWith("-");
  return { text: excluded ? match[3].slice(1) : match[3], excluded, phrase: false };
}

/** Return what the log server's `q` gets: everything but the regex, which is a parameter of its own. */
export function words(query: Query): string {
  return query.terms.map(spelled).join(" ");
}

function spelled({ text, excluded, phrase }: Term): string {
  const quoted = phrase ? `"${text.replaceAll(/["\\]/g, "\\$&")}"` : text;
  return (excluded ? "-" : "") + quoted;
}

function unescaped(text: string): string {
  return text.replaceAll(/\\(.)/g, "$1");
}

/** Return what is wrong with the text of the bar, as a sentence, or null if it can be sent. */
export function fault(typed: string): string | null {
  return REGEX.test(typed.replace(REGEX, " ")) ? "One /pattern/ at a time: join them with | into a single one." : null;
}

/** Take `field:value` out of the text as soon as it is complete (followed by a blank); return it with what is left. */
export function chip(typed: string): { field: Field; value: string; rest: string } | null {
  const match = /(^|\s)(node|source|host|ident|level):(?:"([^"]+)"|([^\s"]+))(\s|$)/.exec(typed);
  if (!match) return null;
  const rest = `${typed.slice(0, match.index)} ${typed.slice(match.index + match[0].length)}`.trim();
  return { field: match[2] as Field, value: (match[3] ?? match[4]) as string, rest };
}

const WORD = "[A-Za-z0-9_\\u0080-\\uffff]";

/** Return a term as an expression: a whole word or phrase, `prefix*`, or `*part*`, as the log server reads it. */
function expression({ text, phrase }: Term): string {
  const open = { left: !phrase && text.startsWith("*"), right: !phrase && text.endsWith("*") && text.length > 1 };
  const bare = text.slice(open.left ? 1 : 0, open.right ? -1 : undefined);
  const exact = bare.replaceAll(/[.*+?^${}()|[\]\\/]/g, "\\$&");
  const begins = !open.left && new RegExp(`^${WORD}`).test(bare) ? `(?<!${WORD})` : "";
  const ends = !open.right && new RegExp(`${WORD}$`).test(bare) ? `(?!${WORD})` : "";
  return begins + exact + ends;
}

/** Say at once whether a text fits: for what is on screen while the server still searches. A regex is left to it. */
export function fits(text: string, query: Query): boolean {
  return query.terms.every((one) => new RegExp(expression(one), "i").test(text) !== one.excluded);
}

/** Return a function that finds the stretches to mark: hits of the query, and the words to highlight. */
export function finder(query: Query, highlight: string): (plain: string) => Span[] {
  const loud = parse(highlight);
  const seekers = [
    terms(query.terms, "hit"),
    pattern(query.regex, "hit"),
    terms(
      loud.terms.map((one) => ({ ...one, text: `*${one.text}*`, phrase: false })),
      "loud",
    ),
    pattern(loud.regex, "loud"),
  ];
  return (plain) => seekers.flatMap((seek) => seek(plain));
}

type Seeker = (plain: string) => Span[];
const NOTHING: Seeker = () => [];

function terms(wanted: Term[], name: string): Seeker {
  const sources = wanted.filter((one) => !one.excluded).map(expression);
  if (sources.length === 0) return NOTHING;
  const any = new RegExp(sources.join("|"), "gi");
  return (plain) => spans(plain, any, name);
}

const REACH = 500; // characters of a line that a pattern is tried on here
const PATIENCE = 25; // milliseconds that one line may take

/** A person's pattern, run in the browser only to mark hits: one that could run away is not tried, one that does is dropped. */
function pattern(source: string | null, name: string): Seeker {
  const expression = source === null || nested(source) ? null : compiled(source);
  if (!expression) return NOTHING;
  let tired = false;
  return (plain) => {
    if (tired) return [];
    const began = performance.now();
    const found = spans(plain.slice(0, REACH), expression, name);
    tired = performance.now() - began > PATIENCE;
    return found;
  };
}

/** Whether a group that repeats or chooses is itself repeated, as in (a+)+: such a pattern can take for ever. */
export function nested(source: string): boolean {
  return /[*+}|][^()]*\)+[*+{]/.test(source.replaceAll(/\\./g, "_")) || /\)\)+[*+{]/.test(source);
}

/** RE2 and JavaScript differ in a few spellings; what JavaScript cannot read is simply not marked. */
function compiled(source: string): RegExp | null {
  const insensitive = source.startsWith("(?i)");
  try {
    return new RegExp(insensitive ? source.slice(4) : source, insensitive ? "gi" : "g");
  } catch {
    return null;
  }
}

function spans(plain: string, expression: RegExp, name: string): Span[] {
  const found: Span[] = [];
  for (const match of plain.matchAll(expression)) {
    if (match[0] !== "") found.push({ start: match.index, end: match.index + match[0].length, name });
  }
  return found;
}
