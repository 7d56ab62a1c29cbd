// A dialog: it holds the focus, closes with Esc, and gives the focus back to where it was.

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
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
  useEffect(() => {
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
