// Rows of states on screen, changed in place as results come.

import { all, find } from "./dom";
import { join } from "./live";
import { refreshSoon } from "./refresh";
import { rowKey, type State, showState } from "./states";
import { setTime } from "./times";

function text(row: Element, field: string, value: string): void {
  const place = find(`[data-field=${field}]`, row);
  if (!place || place.textContent === value) return;
  place.textContent = value;
  if (place.title) place.title = value;
}

function time(row: Element, field: string, moment: string | null): void {
  const place = find<HTMLTimeElement>(`[data-field=${field}] time`, row);
  if (place && moment) setTime(place, moment);
}

/** Show a state in the rows that are its own. Return whether there were any. */
export function patch(state: State): boolean {
  const rows = all(`[data-row="${CSS.escape(rowKey(state))}"]`);
  for (const row of rows) {
    const mark = find("[data-field=state] .state", row);
    if (mark) showState(mark, state.state, state.state_type === "soft");
    text(row, "output", state.output);
    text(row, "tries", `${state.attempt}/${state.attempts}`);
    time(row, "last_check", state.last_check);
    time(row, "next_check", state.next_check);
  }
  return rows.length > 0;
}

/** Keep the rows on screen as they are now. */
export function followStates(filters: Record<string, string>, also?: (state: State) => void): void {
  join<State & { removed?: boolean }>("states", filters, {
    news({ items, skipped }) {
      if (skipped) refreshSoon();
      for (const state of items) {
        if (state.removed) refreshSoon();
        else {
          patch(state);
          also?.(state);
        }
      }
    },
    gap: refreshSoon,
  });
}
