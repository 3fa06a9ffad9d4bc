// When somebody reads rather than watches: they scroll up, take hold of the scroll bar, or select text.

export interface Reader {
  /** Somebody reads: nothing may move under their eyes. */
  up(): void;
  /** Whether they last scrolled down: at the end of the list, that means going on. */
  down(on: boolean): void;
}

export function reading(root: HTMLElement, reader: Reader): void {
  root.addEventListener(
    "wheel",
    (event) => {
      if (event.deltaY < 0) reader.up();
      reader.down(event.deltaY > 0);
    },
    { passive: true },
  );
  root.addEventListener(
    "touchmove",
    () => {
      reader.up();
      reader.down(true);
    },
    { passive: true },
  );
  root.addEventListener("pointerdown", (event) => event.offsetX > root.clientWidth && reader.up());
  root.addEventListener("keydown", (event) => {
    if (["Home", "PageUp"].includes(event.key)) reader.up();
    reader.down(["End", "PageDown"].includes(event.key));
  });
  document.addEventListener("selectionchange", () => {
    const selection = document.getSelection();
    if (selection && !selection.isCollapsed && root.contains(selection.anchorNode)) reader.up();
  });
}
