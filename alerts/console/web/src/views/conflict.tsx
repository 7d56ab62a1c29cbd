// Somebody was faster: who, what, and what holds now. Nothing is tried again by itself.

import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { now, state, telling, trusted } from "../app.ts";
import { conflicts, dialog, orders, type Conflict } from "../desk.ts";
import { lastChange, measured } from "../facts.ts";
import { go } from "../router.ts";
import { ranked, standing } from "../standing.ts";
import { leavesOut, newest } from "../store.ts";
import { mayPutOnSale } from "../trust.ts";
import { SeverityBadge, StandingBadge } from "./bits.tsx";
import { Modal } from "./modal.tsx";

export function ConflictDialog({ conflict }: { conflict: Conflict }): JSX.Element {
  const { say } = telling.value;
  const { order, refusal } = conflict;
  const id = order.targets[0]?.product_id ?? "";
  const told = refusal?.product ?? null;
  // The refusal may come before the stream, and the page may have heard more since than the refusal knew.
  const product = newest(state.value, id, told);
  const last = product?.last ?? told?.last ?? null;
  const event = state.value?.events.find((one) => one.product_id === id && one.type !== "command.rejected");
  const faster = last?.type === "command.rejected" ? (event ?? last) : (last ?? event);
  const fuse = product ? ranked(product)[0] : undefined;
  // The dialog says what the line about the order would say.
  useEffect(() => orders.dismiss(order.request_id), [order]);
  const close = (): void => {
    conflicts.value = conflicts.value.filter((other) => other !== conflict);
  };
  return (
    <Modal title={say("conflict_title")} testid="conflict-dialog" role="alertdialog" close={close}>
      <p>{say("conflict_intro", { action: say(`action_${order.action}`), product: id })}</p>
      <dl class="facts">
        <dt>{say("conflict_who")}</dt>
        <dd data-testid="conflict-who" dir="auto">
          {faster ? lastChange(faster, product?.override ?? null, now.peek(), telling.value) : say("unknown")}
        </dd>
        <dt>{say("conflict_now")}</dt>
        <dd data-testid="conflict-now">
          {product ? (
            <>
              <StandingBadge standing={standing(product)} />
              {fuse && <SeverityBadge severity={fuse.severity} />}
              {fuse && <p>{measured(fuse.cause, fuse.kind, telling.value) ?? fuse.rule}</p>}
            </>
          ) : (
            say(mayPutOnSale(trusted.value) && !leavesOut(state.value) ? "conflict_gone" : "not_known_now")
          )}
        </dd>
      </dl>
      <footer>
        {order.action === "pause" && (
          <button
            type="button"
            data-testid="pause-anyway"
            onClick={() => {
              close();
              dialog.value = { kind: "order", action: "pause", product_id: id };
            }}
          >
            {say("conflict_pause_anyway")}
          </button>
        )}
        <button
          type="button"
          onClick={() => {
            close();
            go({ view: "product", id });
          }}
        >
          {say("conflict_look")}
        </button>
        <button type="button" class="primary" data-focus="" data-testid="understood" onClick={close}>
          {say("conflict_understood")}
        </button>
      </footer>
    </Modal>
  );
}
