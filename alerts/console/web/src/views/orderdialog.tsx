// The dialog of an order for one product: names product and effect, asks for the reason.

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { asOf, now, state, telling, trusted, zone } from "../app.ts";
import type { Action, Product } from "../api.ts";
import { dialog, give, sequenceOf, sequenceToExpect } from "../desk.ts";
import { ALL, effect, possible, putsOnSale, type Target } from "../effect.ts";
import { lastChange, rulesOf, who } from "../facts.ts";
import { duration, moment } from "../format.ts";
import { mayPutOnSale } from "../trust.ts";
import { problemText } from "./banner.tsx";
import { SeverityBadge, StandingBadge } from "./bits.tsx";
import { ACTION_SIGNS } from "./card.tsx";
import { firstLong, isLong, LongField, ReasonField, takeQuick, type Long } from "./fields.tsx";
import { Icon } from "./icons.tsx";
import { detailOf, watch } from "../series.ts";
import { isPaused, standing } from "../standing.ts";
import { leavesOut, lookUp } from "../store.ts";
import { Modal } from "./modal.tsx";

/** What the order does, in sentences. */
export function effectSentences(action: Action, product: Product | null, target: Target, long: Long): string[] {
  const { say, language } = telling.value;
  const done = effect(action, product, target);
  const said: string[] = [];
  const oversell = done.moved.filter((fuse) => fuse.kind === "oversell");
  const others = done.moved.filter((fuse) => fuse.kind !== "oversell" && fuse.state === "open");
  if (action === "pause") said.push(say("effect_pause"));
  if (action === "pause" && !product) said.push(say("effect_pause_unknown"));
  if (action === "allow") {
    said.push(done.left.length ? say("effect_allow", { n: done.left.length }) : say("effect_allow_quiet"));
  }
  if (action === "resume" || action === "release") {
    if (done.held === "paused" && product?.override) {
      const why = say("effect_still_override", { who: who(product.override.actor, say) });
      said.push(say("effect_still_paused", { why }));
    } else if (done.held === "allowed" && product?.override) {
      said.push(say("effect_still_allowed", { who: who(product.override.actor, say) }));
    } else if (action === "release" && done.left.length && product && !isPaused(product)) {
      said.push(say("effect_pauses_again", { rules: rulesOf(done.left) }));
    } else if (done.outcome === "paused") {
      said.push(say("effect_still_paused", { why: say("effect_still_fuses", { rules: rulesOf(done.left) }) }));
    } else if (done.outcome === "skus_paused") {
      said.push(say("effect_still_skus", { skus: done.skus.join(", ") }));
    } else {
      said.push(say("effect_on_sale"));
    }
  }
  if (others.length) said.push(say("effect_probation", { rules: rulesOf(others) }));
  if (oversell.length) said.push(say("effect_oversell", { rules: rulesOf(oversell) }));
  if (action === "pause" || action === "allow") {
    if (long === null) said.push(say("effect_until_released"));
    else if (isLong(action, long)) {
      const time = moment(now.value + long * 1000, now.value, zone);
      said.push(say("effect_until", { time, age: duration(long, language) }));
    }
    if (action === "allow" && done.left.length) said.push(say("effect_allow_ends"));
  }
  return said;
}

interface Props {
  readonly action: Action;
  readonly productId: string | null;
  /** The sequence of what the person saw when they asked for the dialog. */
  readonly saw: number | undefined;
}

export function OrderDialog({ action, productId, saw }: Props): JSX.Element {
  const { say } = telling.value;
  const id = useSignal(productId ?? "");
  // Of a product that the stream leaves out the console is asked.
  const detail = productId === null ? null : detailOf(productId).value;
  useEffect(() => (productId === null ? undefined : watch(productId, -1)), [productId]);
  const seen = useSignal(productId === null ? -1 : (saw ?? sequenceOf(productId)));
  const reason = useSignal("");
  const long = useSignal<Long>(firstLong(action));
  const target = useSignal<Target>(ALL);
  const tried = useSignal(false);
  const close = (): void => {
    dialog.value = null;
  };

  const known = state.value;
  const name = id.value.trim();
  const product = lookUp(known, name, detail);
  const waits = product === null && detail === null && leavesOut(known);
  const sequence = product?.sequence ?? known?.sequences.get(name) ?? (waits ? seen.value : 0);
  const isFixed = productId !== null;
  const movedOn = isFixed && sequence !== seen.value;
  const isPossible = possible(product).includes(action);
  const needsCurrent = putsOnSale(action);
  const isCurrent = !needsCurrent || (mayPutOnSale(trusted.value) && (product?.sure ?? true));
  const hasReason = reason.value.trim() !== "";
  const mayGive = !movedOn && isPossible && isCurrent;
  const gone = say(mayPutOnSale(trusted.value) ? "conflict_gone" : "not_known_now");
  const open = product?.fuses.filter((fuse) => fuse.state === "open") ?? [];
  const problems = known?.health.problems ?? [];

  function submit(event: Event): void {
    event.preventDefault();
    if (dialog.peek() === null) return; // A second click, faster than the page is drawn.
    tried.value = true;
    if (!mayGive || !hasReason || !name || !isLong(action, long.value)) return;
    const wish = {
      action,
      product_id: name,
      reason: reason.value.trim(),
      fuse: target.value,
      duration_s: action === "pause" || action === "allow" ? long.value : null,
    };
    if (product) give({ ...wish, expected_sequence: isFixed ? seen.value : sequence });
    else void sequenceToExpect(name).then((expected_sequence) => give({ ...wish, expected_sequence }));
    close();
  }

  return (
    <Modal title={say(`ask_${action}`, { product: name || "…" })} testid="order-dialog" close={close}>
      <form onSubmit={submit} onKeyDown={(event) => takeQuick(event, action, (text) => (reason.value = text))} noValidate>
        {!isFixed && (
          <label class="text-field">
            <span>{say("product_id")}</span>
            <input
              type="text"
              value={id.value}
              maxLength={128}
              autocomplete="off"
              spellcheck={false}
              list="known-products"
              required
              data-focus=""
              data-testid="product-id"
              aria-invalid={tried.value && !name}
              onInput={(event) => (id.value = event.currentTarget.value)}
            />
            <datalist id="known-products">
              {(known?.watchlist ?? []).map((one) => (
                <option key={one.product_id} value={one.product_id} />
              ))}
            </datalist>
            {tried.value && !name && (
              <span class="field-error" role="alert">
                {say("product_id_missing")}
              </span>
            )}
          </label>
        )}
        {product && (
          <p class="dialog-standing">
            <StandingBadge standing={standing(product)} />
            {product.room_id && (
              <span class="chip">
                {say("room")} <bdi>{product.room_id}</bdi>
              </span>
            )}
            {open[0] && <SeverityBadge severity={open[0].severity} />}
          </p>
        )}
        {action === "resume" && open.length > 1 && (
          <label class="text-field">
            <span>{say("which_fuses")}</span>
            <select
              data-testid="which-fuse"
              onChange={(event) => {
                const fuse = open[Number(event.currentTarget.value)];
                target.value = fuse ? { rule: fuse.rule, sku_id: fuse.sku_id } : ALL;
              }}
            >
              <option value="-1">{say("all_fuses", { n: open.length })}</option>
              {open.map((fuse, index) => (
                <option key={`${fuse.rule}\n${fuse.sku_id ?? ""}`} value={index}>
                  {rulesOf([fuse])}
                </option>
              ))}
            </select>
          </label>
        )}
        <section class={`effect is-${action}`} aria-label={say("effect_label")} data-testid="effect">
          <Icon sign={ACTION_SIGNS[action]} size={20} />
          <div>
            {effectSentences(action, product, target.value, long.value).map((text) => (
              <p key={text}>{text}</p>
            ))}
          </div>
        </section>
        {needsCurrent && trusted.value === "doubtful" && problems[0] && (
          <p class="notice">
            <Icon sign="warning" /> {say("doubtful_warning", { problem: problemText(problems[0]) })}
          </p>
        )}
        {!isCurrent && (
          <p class="notice" role="alert" data-testid="not-current">
            <Icon sign="cut" /> {say("stale_orders")}
            {asOf.value !== null && ` (${say("as_of", { time: moment(asOf.value, now.peek(), zone) })})`}
          </p>
        )}
        {movedOn && (
          <div class="notice" role="alert" data-testid="moved-on">
            <p>
              {say("moved_on", {
                what: product?.last ? lastChange(product.last, product.override, now.peek(), telling.value) : gone,
              })}
            </p>
            <button type="button" data-testid="look-again" onClick={() => (seen.value = sequence)}>
              {say("look_again")}
            </button>
          </div>
        )}
        {!isPossible && !movedOn && (
          <p class="notice" role="alert">
            {say("not_possible")}
          </p>
        )}
        <LongField action={action} value={long.value} change={(value) => (long.value = value)} />
        <ReasonField
          action={action}
          value={reason.value}
          isMissing={tried.value && !hasReason}
          change={(value) => (reason.value = value)}
        />
        <footer>
          <p class="small quiet">{say(needsCurrent ? "hold_note" : "once_note")}</p>
          <button type="button" class="plain" onClick={close}>
            {say("cancel")}
          </button>
          <button type="submit" class={`primary is-${action}`} disabled={!mayGive} data-testid="confirm">
            <Icon sign={ACTION_SIGNS[action]} />
            {say(`confirm_${action}`)}
          </button>
        </footer>
      </form>
    </Modal>
  );
}
