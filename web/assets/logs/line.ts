// What a line is, between the web server and the browser: a tuple in this order (live_logs.py: LINE says the same).

export type Tuple = [
  id: string,
  time: string,
  node: string,
  source: string,
  host: string | null,
  ident: string | null,
  pid: number | null,
  level: string | null,
  message: string,
  cut: number,
  faulty: 0 | 1,
];

/** One log line. `cut` is how many characters of the message were left out; `faulty` says its format did not fit. */
export interface Line {
  kind: "line";
  id: string;
  time: string;
  node: string;
  source: string;
  host: string | null;
  ident: string | null;
  pid: number | null;
  level: string | null;
  message: string;
  cut: number;
  faulty: boolean;
}

/** Lines that were left out between two others: how many (null: nobody counted), and the range of time they lie in. */
export interface Gap {
  kind: "gap";
  id: string;
  skipped: number | null;
  from: string;
  to: string;
}

export type Item = Line | Gap;

/** The address of a line. */
export const permalink = (id: string): string => `/logs/${encodeURIComponent(id)}`;

/** A whole record, as the log server gives it. */
export interface LogRecord {
  id: string;
  time: string;
  received: string;
  node: string;
  source: string;
  host: string | null;
  ident: string | null;
  pid: number | null;
  level: string | null;
  message: string;
  raw: string;
  raw_base64?: string;
  fields: Record<string, unknown>;
  parse_error: string | null;
  path: string | null;
}

/** How a level is drawn: eight severities and none, in five tones. */
export type Tone = "error" | "warning" | "notice" | "info" | "debug" | "none";

export function fromTuple(tuple: Tuple): Line {
  const [id, time, node, source, host, ident, pid, level, message, cut, faulty] = tuple;
  return { kind: "line", id, time, node, source, host, ident, pid, level, message, cut, faulty: faulty === 1 };
}

export function tone(level: string | null): Tone {
  switch (level) {
    case "emerg":
    case "alert":
    case "crit":
    case "error":
      return "error";
    case "warning":
    case "notice":
    case "info":
    case "debug":
      return level;
    default:
      return "none";
  }
}
