// Somebody was faster: who, what, and what holds now. Nothing is tried again by itself.

import type { JSX } from "preact";
import { now, state, telling } from "../app.ts";
import { conflicts, dialog, type Conflict } from "../desk.ts";
import { lastChange, measured } from "../facts.ts";
import { go } from "../router.ts";
import { ranked, standing } from "../standing.ts";
import { SeverityBadge, StandingBadge } from "./bits.tsx";
import { Modal } from "./modal.tsx";

export function ConflictDialog({ conflict }: { conflict: Conflict }): JSX.Element {
  const { say } = telling.value;
  const { order, refusal } = conflict;
  const id = order.targets[0]?.product_id ?? "";
  const told = refusal?.product ?? null;
  const live = state.value?.products.get(id) ?? null;
  // The page may have heard more since than the refusal knew.
  const product = live && told && told.sequence > live.sequence ? told : live;
  const last = product?.last ?? told?.last ?? null;
  const event = state.value?.events.find((one) => one.product_id === id && one.type !== "command.rejected");
  const fuse = product ? ranked(product)[0] : undefined;
  const close = (): void => {
    conflicts.value = conflicts.value.filter((other) => other !== conflict);
  };
  return (
    <Modal title={say("conflict_title")} testid="conflict-dialog" role="alertdialog" close={close}>
      <p>{say("conflict_intro", { action: say(`action_${order.action}`), product: id })}</p>
      <dl class="facts">
        <dt>{say("conflict_who")}</dt>
        <dd data-testid="conflict-who" dir="auto">
          {last || event ? lastChange(last ?? (event as NonNullable<typeof event>), now.peek(), telling.value) : say("unknown")}
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
            say("conflict_gone")
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
