// The whole page.

import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { chosen, mayOrder, session, telling, trusted } from "../app.ts";
import { asides, calls } from "../attention.ts";
import { conflict, dialog } from "../desk.ts";
import { guard } from "../guard.ts";
import { place } from "../router.ts";
import { Audit } from "./audit.tsx";
import { Banner } from "./banner.tsx";
import { Board } from "./board.tsx";
import { BulkDialog } from "./bulk.tsx";
import { ConflictDialog } from "./conflict.tsx";
import { HelpDialog } from "./help.tsx";
import { reveal } from "./list.tsx";
import { Login } from "./login.tsx";
import { OrderBar } from "./orderbar.tsx";
import { OrderDialog } from "./orderdialog.tsx";
import { ProductView } from "./product.tsx";
import { TopBar } from "./topbar.tsx";

function View(): JSX.Element {
  const here = place.value;
  switch (here.view) {
    case "board":
      return <Board />;
    case "product":
      return <ProductView key={here.id} id={here.id} />;
    case "audit":
      return <Audit />;
  }
}

function Dialogs(): JSX.Element | null {
  const open = dialog.value;
  if (conflict.value) return <ConflictDialog key={conflict.value.order.request_id} conflict={conflict.value} />;
  if (!open) return null;
  switch (open.kind) {
    case "order":
      return (
        <OrderDialog
          key={`${open.action} ${open.product_id ?? ""}`}
          action={open.action}
          productId={open.product_id}
          saw={open.saw}
        />
      );
    case "bulk":
      return <BulkDialog room={open.room} />;
    case "help":
      return <HelpDialog />;
  }
}

/** What stays in sight. Its height is told to the style sheet: other things stick below it. */
function Head(): JSX.Element {
  const element = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const box = element.current;
    if (!box) return;
    let before = box.offsetHeight;
    const observer = new ResizeObserver(() => {
      document.documentElement.style.setProperty("--top", `${box.offsetHeight}px`);
      const list = document.querySelector(".list");
      // A banner has come or gone, and all below it has moved.
      if (list && box.offsetHeight !== before) guard(list);
      before = box.offsetHeight;
    });
    observer.observe(box);
    return () => observer.disconnect();
  }, []);
  return (
    <div ref={element} class="head">
      <TopBar />
      <Banner />
    </div>
  );
}

function Shell(): JSX.Element {
  const { say } = telling.value;
  const here = place.value;
  const key = here.view === "product" ? here.id : here.view;
  const isFirst = useRef(true);
  // Whoever goes somewhere is there with the eyes and with the focus: at the heading, or at the product they came from.
  useLayoutEffect(() => {
    window.scrollTo(0, 0);
    const from = here.view === "board" ? chosen.peek() : null;
    if (!isFirst.current) document.querySelector<HTMLElement>("main h2[tabindex]")?.focus({ preventScroll: true });
    if (from !== null && !isFirst.current) reveal(from);
    isFirst.current = false;
  }, [key]);
  return (
    <div class="shell" data-trust={trusted.value} data-view={here.view}>
      <a class="skip" href="#main">
        {say("skip")}
      </a>
      <Head />
      {!mayOrder.value && <p class="hidden">{say("readonly")}</p>}
      <main id="main" tabIndex={-1}>
        <h1 class="hidden">livefuse</h1>
        <View />
      </main>
      {/* While a dialog is open all else is out of reach: then it holds the orders that can be undone. */}
      {!dialog.value && !conflict.value && <OrderBar />}
      <Dialogs />
      <div class="hidden" role="alert" aria-live="assertive" data-testid="calls">
        {calls.value}
      </div>
      <div class="hidden" role="status" aria-live="polite" data-testid="asides">
        {asides.value}
      </div>
    </div>
  );
}

export function App(): JSX.Element {
  const { say } = telling.value;
  const known = session.value;
  if (known === null) return <p class="wait">{say("line_connecting")}</p>;
  return known.user ? <Shell /> : <Login offered={known} />;
}
