// Signing in.

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { language, sessionEnded, telling } from "../app.ts";
import type { Session } from "../api.ts";
import { post, Refused } from "../api.ts";
import { duration } from "../format.ts";
import { signedIn } from "../session.ts";
import { sayCode } from "../words/say.ts";
import { Icon } from "./icons.tsx";
import { LanguageButton, ThemeButton } from "./topbar.tsx";

function why(error: unknown): string {
  const { say } = telling.peek();
  if (!(error instanceof Refused) || error.status === 0) return say("login_away");
  if (error.status === 429) return say("login_many", { age: duration(error.retryAfterS ?? 60, language.peek()) });
  return error.status === 401 ? say("login_wrong") : error.refusal.message;
}

// The way back from an OpenID provider that has signed nobody in ends at /login?error=<code>.
function turnedBack(): string {
  const code = new URLSearchParams(location.search).get("error");
  if (code === null) return "";
  const { say } = telling.peek();
  const known = sayCode(say, "signin_", code);
  return known === code ? say("signin_failed") : known;
}

export function Login({ offered }: { offered: Session }): JSX.Element {
  const { say } = telling.value;
  const name = useSignal("");
  const password = useSignal("");
  const failed = useSignal("");
  const isBusy = useSignal(false);

  async function submit(event: Event): Promise<void> {
    event.preventDefault();
    if (!name.value.trim() || !password.value || isBusy.value) return;
    isBusy.value = true;
    failed.value = "";
    try {
      const answer = await post<Session>("/api/v1/login", { name: name.value.trim(), password: password.value }, null);
      signedIn(answer);
    } catch (error) {
      failed.value = why(error);
      password.value = "";
    } finally {
      isBusy.value = false;
    }
  }

  return (
    <div class="login">
      <div class="login-tools">
        <LanguageButton />
        <ThemeButton />
      </div>
      <main class="login-box" data-testid="login">
        <p class="brand">
          live<strong>fuse</strong>
        </p>
        <h1>{say("login_title")}</h1>
        {sessionEnded.value && (
          <p class="notice" role="status">
            {say("login_ended")}
          </p>
        )}
        {offered.ways.includes("password") && (
          <form onSubmit={(event) => void submit(event)}>
            <label class="text-field">
              <span>{say("login_name")}</span>
              <input
                type="text"
                name="username"
                autocomplete="username"
                autocapitalize="none"
                spellcheck={false}
                required
                maxLength={128}
                value={name.value}
                data-testid="login-name"
                onInput={(event) => (name.value = event.currentTarget.value)}
              />
            </label>
            <label class="text-field">
              <span>{say("login_password")}</span>
              <input
                type="password"
                name="password"
                autocomplete="current-password"
                required
                maxLength={1024}
                value={password.value}
                data-testid="login-password"
                onInput={(event) => (password.value = event.currentTarget.value)}
              />
            </label>
            <p class="field-error" role="alert" data-testid="login-error">
              {failed.value}
            </p>
            <button type="submit" class="primary wide" disabled={isBusy.value} data-testid="login-submit">
              {say("login_do")}
            </button>
          </form>
        )}
        {turnedBack() !== "" && (
          <p class="notice" role="alert" data-testid="login-turned-back">
            {turnedBack()}
          </p>
        )}
        {offered.ways.includes("oidc") && (
          <a class="button wide" href="/api/v1/oidc/login" data-testid="login-oidc">
            <Icon sign="key" /> {say("login_oidc")}
          </a>
        )}
        {offered.ways.includes("proxy") && (
          <>
            <p class="small">{say("login_proxy")}</p>
            <button type="button" class="wide" onClick={() => location.reload()}>
              {say("login_reload")}
            </button>
          </>
        )}
        {offered.ways.length === 0 && <p>{say("login_no_way")}</p>}
        <p class="small quiet">
          {offered.application} · {offered.version}
        </p>
      </main>
    </div>
  );
}
