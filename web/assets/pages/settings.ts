// Forms of the settings page: sent as JSON, answered by a sentence.

import { ask, smallThings } from "../lib/actions";
import { all, find } from "../lib/dom";
import { postJson } from "../lib/http";
import { quit } from "../lib/live";
import { attempt } from "../lib/toast";

const fields = (form: HTMLFormElement): Record<string, string> =>
  Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, String(value)]));

smallThings();
for (const form of all<HTMLFormElement>("form[data-post]"))
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void attempt(async () => {
      const answer = await postJson<{ message: string; token?: string }>(form.dataset.post ?? "", fields(form));
      form.reset();
      if (form.dataset.then === "reload") location.reload();
      const made = find("#token-made");
      const code = made && find("code", made);
      if (answer.token && made && code) {
        code.textContent = answer.token;
        made.hidden = false;
      }
      return answer.message;
    });
  });

async function confirmed(title: string, text: string, go: string, url: string, body: unknown): Promise<void> {
  if (!(await ask("ask", { title, text, go }))) return;
  const done = await attempt(async () => (await postJson<{ message: string }>(url, body)).message);
  if (done) location.reload();
}

document.addEventListener("click", (event) => {
  const button = (event.target as Element).closest<HTMLElement>(
    "[data-remove-user], [data-disable-user], [data-revoke]",
  );
  const { removeUser, disableUser, disabled = "", revoke, name = "" } = button?.dataset ?? {};
  if (disableUser) {
    const [question, follows, word] = disabled
      ? [`Disable ${disableUser}?`, "Their logins end now; the password stays for later.", "Disable"]
      : [`Enable ${disableUser}?`, "They can log in again, with the password they had.", "Enable"];
    void confirmed(question, follows, word, "/settings/users/disable", {
      name: disableUser,
      disabled: disabled !== "",
    });
  }
  if (removeUser)
    void confirmed(`Remove ${removeUser}?`, "They can no longer log in.", "Remove", "/settings/users/delete", {
      name: removeUser,
    });
  if (revoke)
    void confirmed(`Revoke ${name}?`, "Whoever uses it is refused from then on.", "Revoke", "/settings/tokens/revoke", {
      id: revoke,
    });
});

find<HTMLButtonElement>("#end-sessions")?.addEventListener("click", async (event) => {
  const url = (event.currentTarget as HTMLElement).dataset.post ?? "";
  const words = {
    title: "Log out everywhere?",
    text: "Every browser that you are logged in with is logged out, this one too.",
    go: "Log out",
  };
  if (!(await ask("ask", words))) return;
  quit();
  if (await attempt(async () => (await postJson<{ message: string }>(url, {})).message)) location.assign("/login");
});
