// Rollouts: starting and aborting one; the page follows whatever happens in any of them.

import "../css/rollouts.css";
import { ask, smallThings } from "../lib/actions";
import { postJson } from "../lib/http";
import { join } from "../lib/live";
import { refreshSoon } from "../lib/refresh";
import { attempt } from "../lib/toast";

smallThings();
join("rollouts", {}, { news: ({ items, skipped }) => items.length + skipped && refreshSoon(), gap: refreshSoon });
setInterval(() => document.hidden || refreshSoon(), 10_000);

async function start(action: "rollout" | "rollback"): Promise<void> {
  const fields = await ask(`ask-${action}`);
  if (!fields) return;
  await attempt(async () => {
    const canary = Number(fields.canary ?? 1) || 1;
    const order = { action, limit: fields.limit?.trim() ?? "", canary, now: fields.now === "yes" };
    const { message } = await postJson<{ message: string }>("/rollouts/start", order);
    refreshSoon();
    return message;
  });
}

document.addEventListener("click", (event) => {
  const button = (event.target as Element).closest<HTMLButtonElement>("button");
  if (button?.id === "roll-out") void start("rollout");
  if (button?.id === "roll-back") void start("rollback");
  const number = button?.dataset.abort;
  if (button && number) {
    button.disabled = true;
    void attempt(async () => {
      const { message } = await postJson<{ message: string }>(`/rollouts/${number}/abort`, {});
      refreshSoon();
      return message;
    }).then(() => {
      button.disabled = false;
    });
  }
});
