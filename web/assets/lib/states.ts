// States as shape, colour and word; the same table is in words.py.

const SHAPES: Record<string, string> = {
  OK: "ok",
  UP: "ok",
  RUNNING: "ok",
  WARNING: "warning",
  CRITICAL: "critical",
  DOWN: "critical",
  FATAL: "critical",
  UNREACHABLE: "unknown",
  UNKNOWN: "unknown",
  BACKOFF: "warning",
  EXITED: "warning",
  STARTING: "pending",
  STOPPING: "pending",
  STOPPED: "pending",
  PENDING: "pending",
};

/** A row of the monitor's states, as far as pages show it. */
export interface State {
  node: string;
  service: string | null;
  state: string;
  state_type: "soft" | "hard";
  attempt: number;
  attempts: number;
  since: string | null;
  last_check: string | null;
  next_check: string | null;
  output: string;
  perfdata: string;
  acknowledged: boolean;
  in_downtime: boolean;
  flapping: boolean;
  stale: boolean;
}

export const shape = (state: string): string => SHAPES[state] ?? "unknown";

/** What tells a row on screen which state it shows. */
export const rowKey = (row: { node: string; service: string | null }): string => `${row.node}/${row.service ?? ""}`;

/** Show `state` in an element made by the template filter `state`. */
export function showState(element: Element, state: string, soft = false): void {
  element.className = `state ${shape(state)}${soft ? " soft" : ""}`;
  const word = element.lastChild;
  if (word) word.textContent = state;
}
