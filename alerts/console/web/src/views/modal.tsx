// A dialog: it holds the focus and gives it back to where it was. It is open, with the focus in it, before anything
// else can happen in the page: a key that is pressed at once finds it so. Esc is keys.ts's, wherever the focus is.

import type { ComponentChildren, JSX } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { telling } from "../app.ts";
import { Icon } from "./icons.tsx";
import { OrderBar } from "./orderbar.tsx";

interface Props {
  readonly title: string;
  readonly testid: string;
  readonly role?: "dialog" | "alertdialog";
  readonly close: () => void;
  readonly children: ComponentChildren;
}

export function Modal({ title, testid, role = "dialog", close, children }: Props): JSX.Element {
  const element = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const box = element.current;
    const before = document.activeElement;
    if (!box) return;
    box.showModal();
    box.querySelector<HTMLElement>("[data-focus]")?.focus();
    return () => {
      box.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
      else document.querySelector<HTMLElement>("#paused-title, main")?.focus();
    };
  }, []);
  return (
    <dialog
      ref={element}
      class="modal"
      role={role}
      aria-labelledby={`${testid}-title`}
      data-testid={testid}
      onCancel={(event) => {
        event.preventDefault();
        close();
      }}
      onClose={() => {
        // The browser may close it unasked. One that is gone already has nothing to close any more.
        if (element.current) close();
      }}
    >
      <header>
        <h2 id={`${testid}-title`} dir="auto">
          {title}
        </h2>
        <button type="button" class="icon-button" aria-label={telling.value.say("close")} onClick={close}>
          <Icon sign="close" />
        </button>
      </header>
      {children}
      <OrderBar />
    </dialog>
  );
}
