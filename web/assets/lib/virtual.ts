// A long list of which only what is on screen is in the document (@tanstack/virtual-core).

import {
  elementScroll,
  observeElementOffset,
  observeElementRect,
  Virtualizer,
  type VirtualizerOptions,
} from "@tanstack/virtual-core";

export interface VirtualList {
  /** The number of rows, or their content, has changed. */
  update(count: number): void;
  scrollTo(index: number, align?: "start" | "center" | "end" | "auto"): void;
  /** Whether the end of the list is in view. */
  atEnd(): boolean;
  destroy(): void;
}

/**
 * Show rows within `scroller`. `render(index)` makes the element of a row; `key(index)` names it, so that a row that stays
 * keeps its element. Rows may be of any height: `estimate` is the usual one in pixels.
 */
export function virtualList(
  scroller: HTMLElement,
  options: { count: number; estimate: number; key(index: number): string; render(index: number): HTMLElement },
): VirtualList {
  const body = document.createElement("div");
  body.className = "virtual";
  scroller.append(body);
  const shown = new Map<string, HTMLElement>();
  const settings = (count: number): VirtualizerOptions<HTMLElement, HTMLElement> => ({
    count,
    getScrollElement: () => scroller,
    estimateSize: () => options.estimate,
    getItemKey: options.key,
    overscan: 12,
    scrollToFn: elementScroll,
    observeElementRect,
    observeElementOffset,
    onChange: paint,
  });
  const virtualizer = new Virtualizer(settings(options.count));

  function paint(): void {
    body.style.height = `${virtualizer.getTotalSize()}px`;
    const rows = virtualizer.getVirtualItems();
    const wanted = new Set(rows.map((row) => String(row.key)));
    for (const [key, element] of shown) {
      if (wanted.has(key)) continue;
      element.remove();
      shown.delete(key);
    }
    for (const row of rows) {
      const element = shown.get(String(row.key)) ?? add(String(row.key), row.index);
      element.dataset.index = String(row.index);
      element.style.transform = `translateY(${row.start}px)`;
      virtualizer.measureElement(element);
    }
  }

  function add(key: string, index: number): HTMLElement {
    const element = options.render(index);
    body.append(element);
    shown.set(key, element);
    return element;
  }

  const unmount = virtualizer._didMount();
  virtualizer._willUpdate();
  paint();
  return {
    update(count) {
      virtualizer.setOptions(settings(count));
      virtualizer._willUpdate();
      paint();
    },
    scrollTo: (index, align = "auto") => virtualizer.scrollToIndex(index, { align }),
    atEnd: () => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < options.estimate * 2,
    destroy() {
      unmount();
      body.remove();
    },
  };
}
