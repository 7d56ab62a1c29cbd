// Who did what, when, from where and why.

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { mayOrder, now, role, telling } from "../app.ts";
import type { Audit as AuditAnswer, AuditEntry } from "../api.ts";
import { get } from "../api.ts";
import { whyNot } from "../whynot.ts";
import { sayCode } from "../words/say.ts";
import { Moment, ProductLink } from "./bits.tsx";
import { Icon } from "./icons.tsx";

const LIMIT = 200;
const DAY_MS = 86_400_000;

function outcomeWord(entry: AuditEntry): string {
  const { say } = telling.value;
  if (!entry.outcome) return "";
  for (const prefix of ["outcome_", "rejected_", "refused_"]) {
    const known = sayCode(say, prefix, entry.outcome);
    if (known !== entry.outcome) return known;
  }
  return entry.outcome;
}

function AuditRow({ entry, named }: { entry: AuditEntry; named: boolean }): JSX.Element {
  const { say } = telling.value;
  const what = entry.what === "export" ? say("audit_export_line") : say(`audit_${entry.what}`);
  return (
    <tr class={`is-${entry.what}`} data-testid="audit-entry" data-what={entry.what} data-outcome={entry.outcome ?? ""}>
      <td>
        <Moment at={entry.at} />
      </td>
      <td>
        <bdi>{entry.actor ?? "–"}</bdi> {entry.role && <span class="quiet small">{say(`role_${entry.role}`)}</span>}
      </td>
      <td>
        {entry.action && <strong>{say(`action_${entry.action}`)} </strong>}
        <span class={entry.action ? "quiet" : ""}>{what}</span>
        {named && entry.product_id && (
          <>
            {" "}
            <ProductLink id={entry.product_id} />
          </>
        )}
        {entry.sku_id && <bdi class="chip">{entry.sku_id}</bdi>}
        {entry.room_id && (
          <span class="quiet">
            {" "}
            {say("room")} <bdi>{entry.room_id}</bdi>
          </span>
        )}
      </td>
      <td dir="auto">{entry.reason ?? entry.detail ?? ""}</td>
      <td>
        {outcomeWord(entry)} {entry.status !== null && <span class="num quiet">{entry.status}</span>}
      </td>
      <td>
        <bdi class="num">{entry.client}</bdi> {entry.way && <span class="quiet small">{entry.way}</span>}
      </td>
    </tr>
  );
}

interface TableProps {
  readonly entries: readonly AuditEntry[];
  readonly named: boolean;
  readonly label: string;
}

export function AuditTable({ entries, named, label }: TableProps): JSX.Element {
  const { say } = telling.value;
  return (
    <div class="scroll" tabIndex={0} role="group" aria-labelledby={label}>
      <table class="audit">
        <thead>
          <tr>
            <th scope="col">{say("time")}</th>
            <th scope="col">{say("who")}</th>
            <th scope="col">{say("what")}</th>
            <th scope="col">{say("why")}</th>
            <th scope="col">{say("outcome")}</th>
            <th scope="col">{say("from_where")}</th>
          </tr>
        </thead>
        <tbody>
          {entries.map((entry) => (
            <AuditRow key={entry.entry_id} entry={entry} named={named} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** The value of a field for local time, to the minute. */
function localMinute(ms: number): string {
  const local = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 16);
}

function Export(): JSX.Element {
  const { say } = telling.value;
  const from = useSignal(localMinute(now.peek() - DAY_MS));
  const to = useSignal(localMinute(now.peek() + 60_000));
  const times = [from.value, to.value].map((text) => Date.parse(text));
  const isValid = times.every((ms) => !Number.isNaN(ms));
  const [begin = 0, end = 0] = times;
  const query = isValid
    ? new URLSearchParams({ from: new Date(begin).toISOString(), to: new Date(end).toISOString() }).toString()
    : "";
  return (
    <div class="export" data-testid="export">
      <label>
        {say("audit_export_from")}
        <input
          type="datetime-local"
          value={from.value}
          data-testid="export-from"
          onInput={(event) => (from.value = event.currentTarget.value)}
        />
      </label>
      <label>
        {say("audit_export_to")}
        <input
          type="datetime-local"
          value={to.value}
          data-testid="export-to"
          onInput={(event) => (to.value = event.currentTarget.value)}
        />
      </label>
      {isValid && (
        <a class="button" href={`/api/v1/audit.csv?${query}`} download="livefuse-audit.csv" data-testid="audit-csv">
          <Icon sign="down" /> {say("audit_export_do")}
        </a>
      )}
    </div>
  );
}

export function Audit(): JSX.Element {
  const { say } = telling.value;
  const answer = useSignal<AuditAnswer | null>(null);
  const failed = useSignal("");
  const asked = useSignal(0);
  const may = mayOrder.value;
  const count = asked.value;

  /** Ask for the newest lines, or for those before a line. */
  async function load(before: AuditEntry | undefined): Promise<void> {
    try {
      const found = await get<AuditAnswer>("/api/v1/audit", { limit: LIMIT, before: before?.entry_id });
      const known = before ? (answer.peek()?.entries ?? []) : [];
      answer.value = { entries: [...known, ...found.entries], complete: found.complete };
      failed.value = "";
    } catch (error) {
      failed.value = whyNot(error);
    }
  }

  useEffect(() => {
    if (may) void load(undefined);
  }, [may, count]);

  return (
    <section class="panel audit-view" aria-labelledby="audit-title" data-testid="audit">
      <header class="section-head">
        <h2 id="audit-title" tabIndex={-1}>{say("audit_title")}</h2>
        <span class="quiet">{say("audit_note")}</span>
        <button type="button" class="plain" data-testid="audit-reload" onClick={() => (asked.value += 1)}>
          {say("login_reload")}
        </button>
      </header>
      {!may && <p class="notice">{say("audit_forbidden")}</p>}
      {role.value === "admin" && <Export />}
      {failed.value && <p class="notice">{say("failed", { why: failed.value })}</p>}
      {may && !answer.value && !failed.value && <p class="empty-line">{say("loading")}</p>}
      {answer.value && answer.value.entries.length === 0 && <p class="empty-line">{say("audit_none")}</p>}
      {answer.value && answer.value.entries.length > 0 && (
        <AuditTable entries={answer.value.entries} named label="audit-title" />
      )}
      {answer.value && !answer.value.complete && (
        <p class="feed-end">
          <button type="button" class="plain" data-testid="audit-older" onClick={() => void load(answer.value?.entries.at(-1))}>
            {say("audit_older")}
          </button>
        </p>
      )}
    </section>
  );
}
