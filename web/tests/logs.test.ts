// Tests of what the log page decides, without a browser: run by tests/unit/web/test_logs_scripts.py with node's own runner.

import assert from "node:assert/strict";
import { test } from "node:test";
import { heights } from "../assets/logs/histogram";
import * as layout from "../assets/logs/layout";
import { fromTuple, type Line } from "../assets/logs/line";
import { Lines } from "../assets/logs/lines";
import { Pace } from "../assets/logs/pace";
import { chip, fault, finder, fits, nested, parse, words } from "../assets/logs/query";
import { Stream } from "../assets/logs/stream";
import { coloured, pieces, plain } from "../assets/logs/text";
import { firstTick, step } from "../assets/logs/times";
import { bounds, filters, gapView, live, read, withChip, withoutChip, write } from "../assets/logs/view";

const line = (id: string, time = "2026-11-24T12:00:00.000000Z"): Line => ({
  kind: "line",
  id,
  time,
  node: "web-1",
  source: "app",
  host: null,
  ident: null,
  pid: null,
  level: null,
  message: id,
  cut: 0,
  faulty: false,
});
const ids = (lines: Lines): string[] => lines.items.map((item) => item.id);

test("a query has words, phrases, exclusions and one pattern", () => {
  const query = parse('error "no such file" -debug -"a b" /5\\d\\d$/');
  assert.equal(words(query), 'error "no such file" -debug -"a b"');
  assert.equal(query.regex, "5\\d\\d$");
});

test("a path is looked for as it stands, not taken for a pattern", () => {
  assert.equal(parse("/var/log/syslog").regex, null);
  assert.equal(words(parse("10.0.0.1:443 /var/log")), "10.0.0.1:443 /var/log");
});

test("two patterns are told in a sentence", () => {
  assert.match(fault("/a/ /b/") ?? "", /One \/pattern\/ at a time/);
  assert.equal(fault("/a/ b"), null);
});

test("a field becomes a chip once it is complete", () => {
  assert.deepEqual(chip('oops node:"web 1" more'), { field: "node", value: "web 1", rest: "oops more" });
  assert.equal(chip("http://web-1"), null);
  assert.equal(chip("xnode:web-1"), null);
});

test("what is typed fits whole words, prefixes and parts as the log server reads them", () => {
  const says = (typed: string, text: string): boolean => fits(text, parse(typed));
  assert.ok(says("FAILED", "it failed."));
  assert.ok(!says("fail", "it failed"));
  assert.ok(says("fail*", "it failed"));
  assert.ok(says("*aile*", "it failed"));
  assert.ok(!says("it -failed", "it failed"));
  assert.ok(says('"it failed"', "then it failed"));
  assert.ok(says("a.b(", "x a.b( y"));
});

test("a pattern that could run away is never tried here", () => {
  for (const source of ["(a+)+$", "(a|b)*c", "((a))+", "(x*)*", "(?:a+){9}"]) assert.ok(nested(source), source);
  for (const source of ["a+b*", "(ab)c", "5\\d\\d$", "\\(a+\\)+"]) assert.ok(!nested(source), source);
  assert.deepEqual(finder(parse("/(a+)+$/"), "")(`${"a".repeat(40)}!`), []);
});

test("hits and highlights are marked where they stand", () => {
  const found = pieces("the order is paid", finder(parse("order"), "pai"));
  assert.deepEqual(
    found.filter((piece) => piece.classes.length > 0),
    [
      { text: "order", classes: ["hit"] },
      { text: "pai", classes: ["loud"] },
    ],
  );
  assert.equal(found.map((piece) => piece.text).join(""), "the order is paid");
});

test("a hit that crosses a change of colour is marked in both parts", () => {
  const found = pieces("\u001b[31mor\u001b[0mder", finder(parse("order"), ""));
  assert.deepEqual(found, [
    { text: "or", classes: ["ansi-fg-1", "hit"] },
    { text: "der", classes: ["hit"] },
  ]);
});

test("colours of every kind become one of sixteen, and end when they are reset", () => {
  assert.deepEqual(coloured("\u001b[1;38;5;196mx\u001b[my"), [
    { text: "x", classes: ["ansi-bold", "ansi-fg-9"] },
    { text: "y", classes: [] },
  ]);
  assert.deepEqual(coloured("\u001b[48;2;0;0;255mz"), [{ text: "z", classes: ["ansi-bg-12"] }]);
  assert.deepEqual(coloured("\u001b[91;102mq")[0]?.classes, ["ansi-fg-9", "ansi-bg-10"]);
});

test("what has no look of its own is made visible, other escapes are not obeyed", () => {
  assert.equal(plain("a\u0000b\u001b[2Jc\u007fd\u0085e\u202ef\tg\nh"), "a^@b^[[2Jc^?d\\x85e\\u202ef\tg↵h");
});

test("a line is held once, wherever it comes from", () => {
  const lines = new Lines();
  lines.append([line("b"), line("c")]);
  assert.equal(lines.append([line("c"), line("d")]), 1);
  assert.equal(lines.prepend([line("a"), line("b")]), 1);
  assert.deepEqual(ids(lines), ["a", "b", "c", "d"]);
});

test("gaps side by side become one, and a number nobody counted stays unknown", () => {
  const lines = new Lines();
  lines.append([line("a")]);
  lines.gap(3, "2", "3");
  lines.gap(4, "1", "5");
  assert.deepEqual(lines.items.slice(1).map((item) => item.kind === "gap" && [item.skipped, item.from, item.to]), [
    [7, "1", "5"],
  ]);
  lines.gap(null, "6", "7");
  assert.equal(lines.items.length, 2);
  assert.equal(lines.items[1]?.kind === "gap" && lines.items[1].skipped, null);
});

test("what is dropped may come again, and what waited is taken over in order", () => {
  const [lines, waiting] = [new Lines(), new Lines()];
  lines.append(["a", "b", "c"].map((id) => line(id)));
  assert.deepEqual(
    lines.trimStart(2).map((one) => one.id),
    ["a"],
  );
  assert.equal(lines.prepend([line("a")]), 1);
  waiting.append([line("c"), line("d")]);
  assert.equal(lines.take(waiting), 1);
  assert.deepEqual(ids(lines), ["a", "b", "c", "d"]);
  assert.equal(waiting.length, 0);
});

test("the address says all of a view, and is read back as it was", () => {
  const search = "?node=a&node=b&level=info%2C&q=x+%22y+z%22&hl=loud&range=1h";
  const view = read("/logs", search);
  assert.equal(write(view), `/logs${search}`);
  assert.deepEqual(filters(view), { node: "a,b", level: "info,", q: 'x "y z"' });
  assert.ok(!live(view));
  assert.equal(write(read("/logs/abc", "?beside=1&q=x")), "/logs/abc?q=x&beside=1");
  assert.equal(read("/logs/abc", "").context, true);
});

test("a range that makes no sense is Live, and a custom one wins over a name", () => {
  assert.equal(read("/logs", "?range=yesterday&from=never").range, "live");
  assert.equal(read("/logs", "?range=1h&from=2026-11-24T12:00:00Z").range, "custom");
  const now = Date.parse("2026-11-24T12:00:00Z");
  assert.deepEqual(bounds(read("/logs", "?range=15m"), now), {
    from: "2026-11-24T11:45:00.000Z",
    to: "2026-11-24T12:00:00.000Z",
  });
});

test("names add up, of levels there is one", () => {
  let view = read("/logs", "");
  for (const [field, value] of [["node", "a"], ["node", "b"], ["level", "info,"], ["level", "error"]] as const)
    view = withChip(view, field, value);
  assert.deepEqual(view.filters, { node: ["a", "b"], level: ["error"] });
  assert.deepEqual(withoutChip(withoutChip(view, "node", "a"), "level", "error").filters, { node: ["b"] });
});

test("a gap opens as a search under the same filters", () => {
  const view = gapView(read("/logs", "?q=x"), "2026-11-24T12:00:00.000001Z", "2026-11-24T12:00:01.000000Z");
  assert.equal(write(view), "/logs?q=x&from=2026-11-24T12%3A00%3A00.000001Z&to=2026-11-24T12%3A00%3A01.000000Z");
});

test("a bin with a single error among thousands of lines shows it", () => {
  const tones = { error: 1, warning: 0, notice: 0, info: 9999, debug: 0, none: 0 };
  const found = heights({ from: 0, to: 1, total: 10_000, tones }, 10_000, 60);
  assert.equal(found.error, 1);
  assert.equal(found.warning, 0);
});

test("the axis has few marks, on round times", () => {
  const [from, to] = [Date.parse("2026-11-24T11:47:13Z"), Date.parse("2026-11-24T12:47:13Z")];
  assert.equal(step(from, to, 8), 600_000);
  assert.equal(new Date(firstTick(from, 600_000)).getMinutes() % 10, 0);
});

test("the pace is that of the last seconds", () => {
  let now = 0;
  const pace = new Pace(() => now);
  pace.note(50);
  assert.equal(pace.rate(), 10);
  now = 6000;
  assert.equal(pace.rate(), 0);
});

// the split view

test("the address holds the whole layout, and says it back", () => {
  const address =
    "/logs/split?pane=node%3Aweb-1+level%3Awarning+timeout&pane=source%3A%22my+app%22+%2F5%5Cd%5Cd%2F&hl=error&range=1h";
  const found = layout.read(address.slice(address.indexOf("?")));
  assert.deepEqual(found.panes, ["node:web-1 level:warning timeout", 'source:"my app" /5\\d\\d/']);
  assert.equal(layout.write(found), address);
});

test("there are two panes at least and four at most", () => {
  assert.equal(layout.read("").panes.length, 2);
  assert.equal(layout.read(`?${"pane=a&".repeat(9)}`).panes.length, 4);
});

test("a pane asks as the log page does, and goes there with what it shows", () => {
  const whole = layout.read("?pane=node:web-1+node:web-2+boom&pane=&from=2026-11-24T12:00:00Z&to=2026-11-24T13:00:00Z");
  const view = layout.viewOf(whole, 0);
  assert.deepEqual(filters(view), { node: "web-1,web-2", q: "boom" });
  assert.equal(
    write(view),
    "/logs?node=web-1&node=web-2&q=boom&from=2026-11-24T12%3A00%3A00Z&to=2026-11-24T13%3A00%3A00Z",
  );
  assert.equal(layout.typedOf(view), "node:web-1 node:web-2 boom");
  assert.deepEqual(layout.read(new URL(layout.splitOf(view), "http://x").search).panes, ["node:web-1 node:web-2 boom", ""]);
});

test("a pane has a short name", () => {
  assert.equal(layout.nameOf("node:web-1 boom /a.b/"), "web-1 boom /a.b/");
  assert.equal(layout.nameOf(" "), "All lines");
});

// lines as they come in

const arrival = (number: number): Line => ({
  ...(fromTuple([
    String(number), `2026-11-24T12:00:${String(number % 60).padStart(2, "0")}Z`, "n", "s", null, null, null, null, "m", 0, 0,
  ]) as Line),
});

test("what comes while somebody reads waits, once, and is shown when they go on", () => {
  const stream = new Stream();
  stream.arrived([arrival(1), arrival(2)]);
  stream.following = false;
  assert.deepEqual(stream.arrived([arrival(2), arrival(3)]), { fresh: 1, dropped: false });
  assert.equal(stream.lines.count, 2);
  assert.equal(stream.release().fresh, 1);
  assert.deepEqual(
    stream.lines.items.map((item) => item.id),
    ["1", "2", "3"],
  );
});

test("what was left out stands as a gap before the next line", () => {
  const stream = new Stream();
  stream.arrived([arrival(1)]);
  stream.skipped(5);
  stream.arrived([arrival(9)]);
  assert.equal(stream.lines.items[1]?.kind === "gap" && stream.lines.items[1].skipped, 5);
});
