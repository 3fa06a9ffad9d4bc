// Relative times that tick. Every <time datetime data-suffix> on the page is kept up to date, once a second while it is
// seconds old and rarer later; the same words are made in words.py.

function lasting(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 ? `${hours} h ${minutes % 60} m` : `${hours} h`;
  const days = Math.floor(hours / 24);
  return hours % 24 && days < 10 ? `${days} d ${hours % 24} h` : `${days} d`;
}

export function ago(moment: number, now: number, suffix = " ago"): string {
  const seconds = Math.floor((now - moment) / 1000);
  return seconds < 0 ? `in ${lasting(-seconds)}` : lasting(seconds) + suffix;
}

/** Set the moment that a <time> shows. */
export function setTime(element: HTMLTimeElement, moment: string): void {
  element.dateTime = moment;
  element.title = `${moment.slice(0, 19).replace("T", " ")} UTC`;
  element.textContent = ago(Date.parse(moment), Date.now(), element.dataset.suffix ?? "");
}

function tick(): void {
  if (document.hidden) return;
  const now = Date.now();
  for (const element of document.querySelectorAll<HTMLTimeElement>("time[data-suffix]")) {
    const text = ago(Date.parse(element.dateTime), now, element.dataset.suffix);
    if (element.textContent !== text) element.textContent = text;
  }
}

export function startTicking(): void {
  setInterval(tick, 1000);
  document.addEventListener("visibilitychange", tick);
}
