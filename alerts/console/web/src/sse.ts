// Server-sent events out of the bytes of a response. `EventSource` would hide the status of a refused connection, and
// give up on it; here it can be told from a cut one. Pure.

export interface Message {
  readonly event: string;
  readonly data: string;
  readonly id: string | null;
}

/** Give it text as it comes; it returns the messages that are complete. */
export function parser(): (chunk: string) => Message[] {
  let rest = "";
  let event = "";
  let data: string[] = [];
  let id: string | null = null;
  return (chunk) => {
    const messages: Message[] = [];
    const lines = (rest + chunk).split(/\r?\n/);
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") {
        if (data.length) messages.push({ event: event || "message", data: data.join("\n"), id });
        event = "";
        data = [];
        id = null;
        continue;
      }
      const colon = line.indexOf(":");
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (field === "event") event = value;
      else if (field === "data") data.push(value);
      else if (field === "id") id = value;
    }
    return messages;
  };
}
