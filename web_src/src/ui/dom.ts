/** Small makers of elements. */

import { t } from "./words";

type Attributes = Record<string, string | number | boolean>;

export function html<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Node[]
): SVGElementTagNameMap[K] {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  setAll(element, attributes);
  element.append(...children);
  return element;
}

export function setAll(element: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
}

/** A button with its label and title in the language of the page. */
export function button(label: string, title: string, onClick: () => void): HTMLButtonElement {
  const element = html("button", { type: "button", title: t(title), "aria-label": t(title) }, t(label));
  element.addEventListener("click", (event) => {
    event.stopPropagation();
    onClick();
  });
  return element;
}

/** Buttons of which one is pressed. */
export class Choice {
  readonly element = html("div", { class: "rf-choice", role: "group" });
  private readonly buttons = new Map<string, HTMLButtonElement>();

  constructor(
    label: string,
    options: readonly (readonly [value: string, label: string, title: string])[],
    private readonly onChange: (value: string) => void,
  ) {
    this.element.setAttribute("aria-label", t(label));
    for (const [value, text, title] of options) {
      const element = button(text, title, () => {
        this.select(value);
        this.onChange(value);
      });
      this.buttons.set(value, element);
      this.element.append(element);
    }
  }

  select(value: string): void {
    for (const [name, element] of this.buttons) element.setAttribute("aria-pressed", String(name === value));
  }
}

/** A button that stays pressed until it is pressed again. */
export class Toggle {
  readonly element: HTMLButtonElement;
  on = false;

  constructor(label: string, title: string, onChange: (on: boolean) => void) {
    this.element = button(label, title, () => {
      this.set(!this.on);
      onChange(this.on);
    });
    this.set(false);
  }

  set(on: boolean): void {
    this.on = on;
    this.element.setAttribute("aria-pressed", String(on));
  }
}
