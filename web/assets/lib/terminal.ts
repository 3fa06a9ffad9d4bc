// A terminal that shows what programs printed. It only shows: nothing is typed into it.

import { Terminal } from "@xterm/xterm";
import { colour } from "./dom";

const COLUMNS = 120;
const ROWS = 30;

/**
 * Pages allow no inline styles, and xterm writes its own into style elements and attributes. The browser lets scripts
 * set both as objects: so a style element hands its text to a sheet, and a style attribute to the element's style.
 */
function stylesAsObjects(): void {
  const create = document.createElement.bind(document);
  document.createElement = ((name: string, options?: ElementCreationOptions) => {
    if (name.toLowerCase() !== "style") return create(name, options);
    const stands = create("template"); // even an empty style element is one too many
    sheetFor(stands);
    return stands;
  }) as typeof document.createElement;
  const set = HTMLElement.prototype.setAttribute;
  HTMLElement.prototype.setAttribute = function (this: HTMLElement, name: string, value: string) {
    if (name === "style") this.style.cssText = value;
    else set.call(this, name, value);
  };
}

function sheetFor(element: HTMLElement): void {
  const sheet = new CSSStyleSheet();
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  Object.defineProperty(element, "textContent", {
    get: () => "",
    set: (text: string) => sheet.replaceSync(text),
  });
}

function theme(): Record<string, string> {
  return {
    background: colour("--sunken"),
    foreground: colour("--ink"),
    cursor: colour("--sunken"),
    selectionBackground: colour("--line-strong"),
    black: colour("--ink"),
    red: colour("--critical"),
    green: colour("--ok"),
    yellow: colour("--warning"),
    blue: colour("--unknown"),
    magenta: colour("--unknown"),
    cyan: colour("--ok"),
    white: colour("--ink-2"),
    brightBlack: colour("--ink-3"),
    brightRed: colour("--critical"),
    brightGreen: colour("--ok"),
    brightYellow: colour("--warning"),
    brightBlue: colour("--unknown"),
    brightMagenta: colour("--unknown"),
    brightCyan: colour("--ok"),
    brightWhite: colour("--ink"),
  };
}

let prepared = false;

/** Make a terminal in an element. */
export function terminal(within: HTMLElement): Terminal {
  if (!prepared) stylesAsObjects();
  prepared = true;
  const made = new Terminal({
    cols: COLUMNS,
    rows: ROWS,
    disableStdin: true,
    scrollback: 20_000,
    fontFamily: getComputedStyle(document.documentElement).getPropertyValue("--mono"),
    fontSize: 13,
    minimumContrastRatio: 4.5,
    screenReaderMode: true,
    theme: theme(),
  });
  made.open(within);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    made.options.theme = theme();
  });
  new MutationObserver(() => {
    made.options.theme = theme();
  }).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  return made;
}
