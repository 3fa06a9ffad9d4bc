// Times as they are shown: local, exact to the millisecond, with the date only where it is needed.

const pad = (value: number, width = 2): string => String(value).padStart(width, "0");

/** Return e.g. `09:05:00.123`; with `dated`, `11-23 09:05:00.123`. */
export function clock(time: string, dated = false): string {
  const at = new Date(time);
  if (Number.isNaN(at.getTime())) return time;
  const day = dated ? `${pad(at.getMonth() + 1)}-${pad(at.getDate())} ` : "";
  return `${day}${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}.${pad(at.getMilliseconds(), 3)}`;
}

/** Return e.g. `Mon 23 Nov 2026, 09:05:00`. */
export function full(time: string): string {
  return new Date(time).toLocaleString(undefined, {
    weekday: "short",
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
  });
}

/** Return a moment for an axis, as exact as the distance between two marks asks for. */
export function tick(at: number, step: number): string {
  const time = new Date(at);
  if (step >= 86_400_000) return time.toLocaleDateString(undefined, { day: "numeric", month: "short" });
  const short = `${pad(time.getHours())}:${pad(time.getMinutes())}`;
  return step >= 60_000 ? short : `${short}:${pad(time.getSeconds())}`;
}

const STEPS = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 2592000,
];

/** Return the distance of marks, in milliseconds, so that at most `most` of them fit between two moments. */
export function step(from: number, to: number, most: number): number {
  const least = (to - from) / 1000 / Math.max(1, most);
  return (STEPS.find((one) => one >= least) ?? 31_536_000) * 1000;
}

/** Return the first mark at or after a moment, on a round local time. */
export function firstTick(from: number, distance: number): number {
  const shift = new Date(from).getTimezoneOffset() * 60_000;
  return Math.ceil((from - shift) / distance) * distance + shift;
}

/** Return the text for `<input type=datetime-local>`: local, to the second. */
export function forInput(time: string): string {
  const at = new Date(time);
  const date = `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}`;
  return `${date}T${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`;
}

export function sameDay(one: string, other: Date): boolean {
  return new Date(one).toDateString() === other.toDateString();
}

export const count = (value: number): string => value.toLocaleString("en-US");

/** Return e.g. `1.2 GiB`, as words.py does. */
export function bytes(value: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(units.length - 1, value < 1 ? 0 : Math.floor(Math.log2(value) / 10));
  const scaled = value / 1024 ** power;
  return `${scaled < 100 && power > 0 ? scaled.toFixed(1) : Math.round(scaled)} ${units[power]}`;
}

export function lines(value: number): string {
  return value === 1 ? "1 line" : `${count(value)} lines`;
}
