// A message as it is shown: ANSI colours become classes, control characters visible marks, hits are marked.
// Everything here returns text and class names; whoever draws it uses textContent, so a line can never become markup.

/** A stretch of text with one look. */
export interface Piece {
  text: string;
  classes: string[];
}

/** A stretch [start, end) of the visible text that is to be marked with a class. */
export interface Span {
  start: number;
  end: number;
  name: string;
}

// SGR is the one escape sequence that is understood; all others show as marks, since a log has no cursor to move.
// biome-ignore lint/suspicious/noControlCharactersInRegex: ESC begins the sequence
const SGR = /\u001b\[([\d;:]*)m/g;

// Control characters (but for tab), and the invisible ones with which a line can pretend to be another: bidirectional
// overrides, zero-width characters, the byte order mark.
const HIDDEN = /(?!\t)[\p{Cc}\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/gu;

/** Return a visible mark for a character that has no look of its own: ^[ for ESC, as terminals write it, \\u202e for others. */
export function visible(character: string): string {
  const code = character.charCodeAt(0);
  if (code === 0x0a) return "↵";
  if (code < 0x20 || code === 0x7f) return `^${String.fromCharCode(code ^ 0x40)}`;
  return code < 0x100 ? `\\x${code.toString(16)}` : `\\u${code.toString(16).padStart(4, "0")}`;
}

/** Return the message in pieces. `lines` keeps line breaks as they are, for where there is room for several lines. */
export function pieces(message: string, find: (plain: string) => Span[] = () => [], lines = false): Piece[] {
  const styled = coloured(message).flatMap((piece) => revealed(piece, lines));
  const plain = styled.map((piece) => piece.text).join("");
  return marked(styled, find(plain));
}

/** Return what a message reads as, without colours: what is matched, highlighted and measured. */
export function plain(message: string): string {
  return pieces(message)
    .map((piece) => piece.text)
    .join("");
}

/** Split at ANSI colour sequences; each piece carries the classes of the colours in force. */
export function coloured(message: string): Piece[] {
  if (!message.includes("\u001b")) return [{ text: message, classes: [] }];
  const found: Piece[] = [];
  const look = new Look();
  let from = 0;
  for (const match of message.matchAll(SGR)) {
    if (match.index > from) found.push({ text: message.slice(from, match.index), classes: look.classes() });
    look.apply(match[1] ?? "");
    from = match.index + match[0].length;
  }
  if (from < message.length) found.push({ text: message.slice(from), classes: look.classes() });
  return found;
}

function revealed(piece: Piece, lines: boolean): Piece[] {
  const found: Piece[] = [];
  let from = 0;
  for (const match of piece.text.matchAll(HIDDEN)) {
    if (lines && match[0] === "\n") continue;
    if (match.index > from) found.push({ text: piece.text.slice(from, match.index), classes: piece.classes });
    found.push({ text: visible(match[0]), classes: [...piece.classes, "ctl"] });
    from = match.index + 1;
  }
  if (from < piece.text.length) found.push({ text: piece.text.slice(from), classes: piece.classes });
  return found;
}

/** Cut the pieces at the edges of the spans and add the spans' classes. Spans may overlap. */
export function marked(styled: Piece[], spans: Span[]): Piece[] {
  if (spans.length === 0) return styled;
  const edges = [...new Set(spans.flatMap((span) => [span.start, span.end]))].sort((a, b) => a - b);
  const found: Piece[] = [];
  let at = 0;
  for (const piece of styled) {
    const end = at + piece.text.length;
    const cuts = [at, ...edges.filter((edge) => edge > at && edge < end), end];
    for (let index = 0; index + 1 < cuts.length; index++) {
      const [from, to] = [cuts[index] as number, cuts[index + 1] as number];
      const names = spans.filter((span) => span.start <= from && span.end >= to).map((span) => span.name);
      found.push({ text: piece.text.slice(from - at, to - at), classes: [...piece.classes, ...new Set(names)] });
    }
    at = end;
  }
  return found;
}

const ON: Record<number, string> = { 1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "inverse", 9: "strike" };
const OFF: Record<number, string[]> = {
  22: ["bold", "dim"],
  23: ["italic"],
  24: ["underline"],
  27: ["inverse"],
  29: ["strike"],
};

/** The colours in force while an ANSI text is read. */
class Look {
  private flags = new Set<string>();
  private front: number | null = null;
  private back: number | null = null;

  classes(): string[] {
    const found = [...this.flags].map((flag) => `ansi-${flag}`);
    if (this.front !== null) found.push(`ansi-fg-${this.front}`);
    if (this.back !== null) found.push(`ansi-bg-${this.back}`);
    return found;
  }

  apply(parameters: string): void {
    const codes = parameters.split(/[;:]/).map((code) => (code === "" ? 0 : Number(code)));
    while (codes.length > 0) this.one(codes.shift() as number, codes);
  }

  private one(code: number, rest: number[]): void {
    const on = ON[code];
    if (on) this.flags.add(on);
    else if (code === 0) this.reset();
    else if (code in OFF) for (const flag of OFF[code] ?? []) this.flags.delete(flag);
    else if (code >= 30 && code <= 37) this.front = code - 30;
    else if (code >= 90 && code <= 97) this.front = code - 82;
    else if (code >= 40 && code <= 47) this.back = code - 40;
    else if (code >= 100 && code <= 107) this.back = code - 92;
    else if (code === 38) this.front = extended(rest);
    else if (code === 48) this.back = extended(rest);
    else if (code === 39) this.front = null;
    else if (code === 49) this.back = null;
  }

  private reset(): void {
    this.flags.clear();
    this.front = this.back = null;
  }
}

/** Given what follows 38 or 48, take it off and return the nearest of the sixteen colours that both themes have. */
function extended(rest: number[]): number | null {
  const kind = rest.shift();
  if (kind === 5) return nearest256(rest.shift() ?? 0);
  if (kind === 2) return nearest(rest.shift() ?? 0, rest.shift() ?? 0, rest.shift() ?? 0);
  return null;
}

function nearest256(code: number): number {
  if (code < 16) return code;
  if (code >= 232) return nearest((code - 232) * 10 + 8, (code - 232) * 10 + 8, (code - 232) * 10 + 8);
  const cube = code - 16;
  return nearest(Math.floor(cube / 36) * 51, (Math.floor(cube / 6) % 6) * 51, (cube % 6) * 51);
}

function nearest(red: number, green: number, blue: number): number {
  const strongest = Math.max(red, green, blue);
  if (strongest < 48) return 0;
  const half = strongest / 2;
  const base = (red > half ? 1 : 0) + (green > half ? 2 : 0) + (blue > half ? 4 : 0);
  return strongest > 170 ? base + 8 : base;
}
