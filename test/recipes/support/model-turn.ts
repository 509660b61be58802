// One request of an agent to its model, and the response, whichever API they speak.

import type { ServerResponse } from 'node:http';

/** What an agent's request says, as far as the stand-in needs it. */
export interface AskedTurn {
  /** What the commands printed so far, in their order. */
  readonly outputs: readonly string[];
  /** Whether the agent offers a tool that runs commands. */
  readonly canRun: boolean;
  readonly streams: boolean;
  /** The tool's name and how it takes a command. */
  readonly tool: string;
}

export type Wanted = { readonly run: string } | { readonly say: string };

export interface ModelTurn {
  /** `body`: as a reader of JSON gives it. */
  read(body: Json): AskedTurn;
  write(response: ServerResponse, wanted: Wanted, asked: AskedTurn, path: string): void;
}

/** As a reader of JSON gives it: what is looked at is said by the API. */
export type Json = ReturnType<typeof JSON.parse>;

/** Server-sent events (as browsers know them), the name of each from its `type` unless the API has none. */
export function sendEvents(response: ServerResponse, events: readonly Json[], named = true): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  for (const event of events)
    response.write(`${named ? `event: ${event.type}\n` : ''}data: ${JSON.stringify(event)}\n\n`);
  response.end();
}

export function sendJson(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

export function textOf(content: Json): string {
  if (typeof content === 'string') return content;
  if (Array.isArray(content)) return content.map((part: Json) => textOf(part)).join('\n');
  return typeof content?.text === 'string' ? content.text : JSON.stringify(content ?? '');
}
