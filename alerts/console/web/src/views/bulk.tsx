// An order for the products of a room. The room's id is typed: nobody resumes a room by a slip.

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { state, telling, trusted } from "../app.ts";
import type { Action } from "../api.ts";
import { dialog, giveRoom, sequenceToExpect } from "../desk.ts";
import { possible, putsOnSale } from "../effect.ts";
import { choices } from "../filter.ts";
import type { OrderTarget } from "../orders.ts";
import type { State } from "../store.ts";
import { mayPutOnSale } from "../trust.ts";
import { ACTION_SIGNS } from "./card.tsx";
import { firstLong, isLong, LongField, ReasonField, takeQuick, type Long } from "./fields.tsx";
import { Icon } from "./icons.tsx";
import { Modal } from "./modal.tsx";

const ACTIONS: readonly Action[] = ["pause", "resume", "release", "allow", "acknowledge"];
const MOST = 500;
const LISTED = 8;

/** The products of a room for which an order is possible. A pause also takes those that are near a limit. */
export function roomTargets(known: State | null, room: string, action: Action): OrderTarget[] {
  if (!known || !room) return [];
  const found = new Map<string, OrderTarget>();
  for (const product of known.products.values()) {
    const isHere = product.room_id === room || product.fuses.some((fuse) => fuse.room_id === room);
    if (isHere && possible(product).includes(action)) {
      const { product_id, sequence, override } = product;
      found.set(product_id, { product_id, expected_sequence: sequence, before: override });
    }
  }
  if (action === "pause") {
    for (const { product_id, room_id } of [...known.watchlist, ...known.events]) {
      if (room_id !== room || known.products.has(product_id) || found.has(product_id)) continue;
      found.set(product_id, { product_id, expected_sequence: known.sequences.get(product_id) ?? 0, before: null });
    }
  }
  return [...found.values()];
}

/** What is not on the board may have a sequence that the page has never heard of. */
async function expecting(target: OrderTarget): Promise<OrderTarget> {
  if (target.expected_sequence > 0) return target;
  return { ...target, expected_sequence: await sequenceToExpect(target.product_id) };
}

export function BulkDialog({ room: first }: { room: string }): JSX.Element {
  const { say } = telling.value;
  const room = useSignal(first);
  const action = useSignal<Action>("pause");
  const typed = useSignal("");
  const reason = useSignal("");
  const long = useSignal<Long>(null);
  const tried = useSignal(false);
  const known = state.value;
  const rooms = choices(
    [...(known?.products.values() ?? []), ...(known?.watchlist ?? [])].map((one) => one.room_id),
    first,
  );
  const targets = roomTargets(known, room.value, action.value);
  const taken = targets.slice(0, MOST);
  const isCurrent = !putsOnSale(action.value) || mayPutOnSale(trusted.value);
  const isTyped = room.value !== "" && typed.value.trim() === room.value;
  const hasReason = reason.value.trim() !== "";
  const mayGive = taken.length > 0 && isCurrent && isTyped;
  const close = (): void => {
    dialog.value = null;
  };

  function submit(event: Event): void {
    event.preventDefault();
    if (dialog.peek() === null) return; // A second click, faster than the page is drawn.
    tried.value = true;
    if (!mayGive || !hasReason || !isLong(action.value, long.value)) return;
    const timed = action.value === "pause" || action.value === "allow";
    const wish = { action: action.value, reason: reason.value.trim(), duration_s: timed ? long.value : null };
    const [where, confirm] = [room.value, typed.value.trim()];
    void Promise.all(taken.map(expecting)).then((expected) => giveRoom(wish, where, confirm, expected));
    close();
  }

  return (
    <Modal title={say("bulk_title")} testid="bulk-dialog" close={close}>
      <form onSubmit={submit} onKeyDown={(event) => takeQuick(event, action.value, (text) => (reason.value = text))} noValidate>
        <div class="two">
          <label class="text-field">
            <span>{say("room")}</span>
            <select
              value={room.value}
              data-focus=""
              data-testid="bulk-room"
              onChange={(event) => (room.value = event.currentTarget.value)}
            >
              <option value="">{say("bulk_choose")}</option>
              {rooms.map((name) => (
                <option key={name} value={name}>
                  {name}
                </option>
              ))}
            </select>
          </label>
          <label class="text-field">
            <span>{say("bulk_what")}</span>
            <select
              value={action.value}
              data-testid="bulk-action"
              onChange={(event) => {
                action.value = event.currentTarget.value as Action;
                long.value = firstLong(action.value);
                reason.value = "";
              }}
            >
              {ACTIONS.map((name) => (
                <option key={name} value={name}>
                  {say(`action_${name}`)}
                </option>
              ))}
            </select>
          </label>
        </div>
        {room.value && (
          <section class={`effect is-${action.value}`} aria-label={say("effect_label")} data-testid="effect">
            <Icon sign={ACTION_SIGNS[action.value]} size={20} />
            <div>
              {targets.length === 0 ? (
                <p>{say("bulk_no_targets")}</p>
              ) : (
                <>
                  <p>
                    <strong>
                      {say(`action_${action.value}`)}: {say("bulk_targets", { n: taken.length })}
                    </strong>
                  </p>
                  <p class="small" dir="auto">
                    {taken.slice(0, LISTED).map((one) => one.product_id).join(", ")}
                    {taken.length > LISTED && ` ${say("evidence_more", { n: taken.length - LISTED })}`}
                  </p>
                </>
              )}
              <p class="small quiet">{say("bulk_known")}</p>
              {targets.length > MOST && <p class="small">{say("bulk_limit")}</p>}
            </div>
          </section>
        )}
        {!isCurrent && (
          <p class="notice" role="alert">
            <Icon sign="cut" /> {say("stale_orders")}
          </p>
        )}
        <LongField action={action.value} value={long.value} change={(value) => (long.value = value)} />
        <ReasonField
          action={action.value}
          value={reason.value}
          isMissing={tried.value && !hasReason}
          change={(value) => (reason.value = value)}
        />
        {room.value && (
          <label class="text-field">
            <span>{say("bulk_type", { room: room.value })}</span>
            <input
              type="text"
              value={typed.value}
              autocomplete="off"
              spellcheck={false}
              data-testid="bulk-confirm"
              onInput={(event) => (typed.value = event.currentTarget.value)}
            />
          </label>
        )}
        <footer>
          <p class="small quiet">{say(putsOnSale(action.value) ? "hold_note" : "bulk_at_once")}</p>
          <button type="button" class="plain" onClick={close}>
            {say("cancel")}
          </button>
          <button type="submit" class={`primary is-${action.value}`} disabled={!mayGive} data-testid="confirm">
            <Icon sign={ACTION_SIGNS[action.value]} />
            {say("bulk_confirm", { action: say(`action_${action.value}`), n: taken.length })}
          </button>
        </footer>
      </form>
    </Modal>
  );
}
