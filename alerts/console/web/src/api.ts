// What goes over the API, as alerts/console/models.py has it. Times are RFC 3339 text in UTC with milliseconds.

export type Role = "viewer" | "operator" | "admin";
export type Severity = "critical" | "warning" | "info";
export type Kind = "complaint_surge" | "return_spike" | "oversell";
export type FuseStateName = "closed" | "open" | "probation";
export type Action = "pause" | "allow" | "release" | "resume" | "acknowledge";
export type EventType =
  | "fuse.opened"
  | "fuse.acknowledged"
  | "fuse.probation"
  | "fuse.closed"
  | "override.set"
  | "override.cleared"
  | "command.rejected";

export interface Paused {
  product: boolean;
  skus: string[];
}

/** Why it happened. What does not apply is left out. */
export interface Cause {
  measured?: number;
  limit?: number;
  window_s?: number;
  b?: number;
  R?: number;
  N?: number;
  k?: number;
  level?: number;
  rate?: number;
  on_hand?: number;
  as_of?: string;
  evidence?: string[];
  command_id?: string;
  action?: string;
  expires_at?: string;
  rejected?: string;
  rules_version?: number;
}

export interface LastChange {
  type: EventType;
  actor: string;
  reason: string | null;
  occurred_at: string;
}

export interface Fuse {
  rule: string;
  kind: Kind;
  sku_id: string | null;
  state: FuseStateName;
  epoch: number;
  shadow: boolean;
  severity: Severity;
  since: string;
  due: string | null;
  acknowledged_by: string | null;
  cause: Cause;
  opened_at: string | null;
  room_id: string | null;
  last: LastChange | null;
}

export interface Override {
  state: "paused" | "allowed";
  until: string | null;
  actor: string;
  reason: string | null;
  since: string;
}

export interface Product {
  product_id: string;
  room_id: string | null;
  sequence: number;
  sure: boolean;
  paused: Paused;
  override: Override | null;
  fuses: Fuse[];
  last: LastChange | null;
}

export interface Watched {
  product_id: string;
  sku_id: string | null;
  room_id: string | null;
  rule: string;
  nearness: number;
  measured: number;
  limit: number;
  available: number | null;
  seconds_left: number | null;
  as_of: string;
}

export interface Input {
  input: "orders" | "returns" | "complaints" | "stock_levels";
  topic: string;
  last_at: string | null;
  lag: number;
}

export type ProblemCode =
  | "broker_away"
  | "no_intake"
  | "no_worker"
  | "behind"
  | "sequence_gap"
  | "health_unknown"
  | "audit_unavailable";

export interface Problem {
  code: ProblemCode;
  since: string;
  text: string;
}

export interface Health {
  heard_at: string | null;
  looked_at: string | null;
  intakes: number | null;
  workers: number | null;
  intake_lag: number;
  worker_lag: number;
  behind_s: number;
  inputs: Input[];
  problems: Problem[];
}

export interface FuseEvent {
  event_id: string;
  sequence: number;
  type: EventType;
  product_id: string;
  sku_id: string | null;
  room_id: string | null;
  rule: string | null;
  rule_version: number;
  from: FuseStateName | null;
  to: FuseStateName | null;
  epoch: number | null;
  shadow: boolean;
  severity: Severity | null;
  occurred_at: string;
  actor: string;
  reason: string | null;
  paused: Paused;
  cause: Cause;
}

/** How many products stand so, also those that a snapshot leaves out. */
export type Counts = Record<"paused" | "partly" | "allowed" | "open" | "probation" | "shadow", number>;

export interface Snapshot {
  id: string;
  now: string;
  products: Product[];
  counts: Counts;
  watchlist: Watched[];
  events: FuseEvent[];
  health: Health;
}

/** What has changed since the message before. What is left out, or null, has not changed. */
export interface Delta {
  id: string;
  now: string;
  products?: Product[];
  gone?: string[];
  counts?: Counts | null;
  watchlist?: Watched[] | null;
  events?: FuseEvent[];
  health?: Health | null;
}

export interface Point {
  at: string;
  measured: number;
  limit: number;
}

export interface Series {
  rule: string;
  sku_id: string | null;
  points: Point[];
}

/** Events of the last hour, newest first. `next` goes on before them. */
export interface Events {
  events: FuseEvent[];
  next: number | null;
}

export interface Products {
  products: Product[];
  next: string | null;
}

export interface ProductDetail {
  product_id: string;
  /** What an order has to expect, also of a product that is on sale; 0 when nothing was ever read of it. */
  sequence: number;
  product: Product | null;
  watched: Watched[];
  series: Series[];
}

export interface AuditEntry {
  entry_id: string;
  at: string;
  what: "command" | "outcome" | "refused" | "login" | "logout" | "login_failed" | "export";
  actor: string | null;
  role: Role | null;
  way: string | null;
  client: string;
  request_id: string | null;
  command_id: string | null;
  action: Action | null;
  product_id: string | null;
  sku_id: string | null;
  rule: string | null;
  room_id: string | null;
  reason: string | null;
  expires_at: string | null;
  outcome: string | null;
  status: number | null;
  sequence: number | null;
  detail: string | null;
}

export interface History {
  product_id: string;
  events: FuseEvent[];
  audit: AuditEntry[];
  complete: boolean;
}

export interface Audit {
  entries: AuditEntry[];
  complete: boolean;
}

export interface Ask {
  request_id: string;
  product_id: string;
  action: Action;
  reason: string;
  expected_sequence: number;
  rule: string | null;
  sku_id: string | null;
  duration_s: number | null;
}

export interface BulkAsk {
  request_id: string;
  room_id: string;
  confirm: string;
  action: Action;
  reason: string;
  targets: { product_id: string; expected_sequence: number }[];
  duration_s: number | null;
}

export interface Result {
  request_id: string;
  command_id: string;
  product_id: string;
  outcome: "applied" | "rejected" | "pending";
  rejected: string | null;
  events: FuseEvent[];
  product: Product | null;
}

export interface BulkResult {
  request_id: string;
  results: Result[];
}

export interface Session {
  user: { name: string; role: Role } | null;
  csrf: string | null;
  ways: ("password" | "proxy" | "oidc")[];
  application: string;
  version: string;
}

export interface Refusal {
  error: string;
  message: string;
  product?: Product | null;
  result?: Result | null;
}

/** A request that the console turned down; status 0 when it was not reached at all. */
export class Refused extends Error {
  readonly status: number;
  readonly refusal: Refusal;
  readonly retryAfterS: number | null;

  constructor(status: number, refusal: Refusal, retryAfterS: number | null = null) {
    super(refusal.message);
    this.status = status;
    this.refusal = refusal;
    this.retryAfterS = retryAfterS;
  }
}

const AWAY: Refusal = { error: "unreachable", message: "The console does not answer." };

async function refused(response: Response): Promise<Refused> {
  const after = Number(response.headers.get("Retry-After") ?? "");
  const body: unknown = await response.json().catch(() => null);
  const isRefusal = typeof body === "object" && body !== null && "error" in body;
  const refusal = isRefusal ? (body as Refusal) : { error: `http_${response.status}`, message: response.statusText };
  return new Refused(response.status, refusal, after > 0 ? after : null);
}

async function request<T>(path: string, options: RequestInit): Promise<T> {
  const response = await fetch(path, { credentials: "same-origin", cache: "no-store", ...options }).catch(() => {
    throw new Refused(0, AWAY);
  });
  if (!response.ok) throw await refused(response);
  // A pending order is 202 and a sign-out may be 204: not every answer has a body.
  const text = await response.text();
  return (text ? JSON.parse(text) : null) as T;
}

type Query = Record<string, string | number | null | undefined>;

/** Ask for something that changes nothing. Empty parameters are left out. */
export function get<T>(path: string, query: Query = {}, signal?: AbortSignal): Promise<T> {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return request<T>(text ? `${path}?${text}` : path, signal ? { signal } : {});
}

/** Have something done. `csrf` is the session's. */
export function post<T>(path: string, body: unknown, csrf: string | null): Promise<T> {
  const headers: Record<string, string> = { "Content-Type": "application/json" };
  if (csrf) headers["X-CSRF-Token"] = csrf;
  return request<T>(path, { method: "POST", headers, body: JSON.stringify(body) });
}
