// Small ways to find and to make elements. Text is set as text, never as HTML.

export const find = <T extends Element = HTMLElement>(selector: string, within: ParentNode = document): T | null =>
  within.querySelector<T>(selector);

export const all = <T extends Element = HTMLElement>(selector: string, within: ParentNode = document): T[] => [
  ...within.querySelectorAll<T>(selector),
];

export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: { class?: string; text?: string; title?: string } = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (properties.class) element.className = properties.class;
  if (properties.text !== undefined) element.textContent = properties.text;
  if (properties.title) element.title = properties.title;
  element.append(...children);
  return element;
}

/** The value that a CSS colour has under the theme that is shown. */
export function colour(name: string): string {
  const probe = make("i");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

/** Whether a key press belongs to a field, not to the page; fields in a shadow root (the editor) count. */
export const typing = (event: KeyboardEvent): boolean => {
  const [target] = event.composedPath();
  return (
    target instanceof Element &&
    target.closest("input, textarea, select, [contenteditable], dialog, .cm-editor") !== null
  );
};
