// One revision: restoring it.

import { ask, smallThings } from "../lib/actions";
import { find } from "../lib/dom";
import { postJson } from "../lib/http";
import { attempt } from "../lib/toast";

smallThings();
const button = find<HTMLButtonElement>("#restore");
button?.addEventListener("click", async () => {
  if (!(await ask("ask-restore"))) return;
  await attempt(async () => {
    const { url } = await postJson<{ url: string }>(`/revisions/${button.dataset.number}/restore`, {});
    location.href = url;
    return undefined;
  });
});
