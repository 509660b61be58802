// A stand-in for the models of coding agents: it speaks as much of the APIs as they need to run commands and to finish a task. It has the
// model ask for one command after another, and keeps what the agent says that each printed.

import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';

import { httpsOrigin, type Origin } from '../../support/origin.ts';
import type { TestAuthority } from '../../support/test-authority.ts';
import { anthropicTurn } from './anthropic-turn.ts';
import { chatTurn } from './chat-turn.ts';
import { geminiTurn } from './gemini-turn.ts';
import type { ModelTurn } from './model-turn.ts';
import { responsesTurn } from './responses-turn.ts';

export interface ModelServer extends AsyncDisposable {
  readonly port: number;
  readonly origin: Origin;
  /** What each command printed, as the agent told the model. */
  readonly outputs: readonly string[];
  /** Credentials that requests for a turn had, in the fields that such APIs use. */
  readonly credentials: readonly string[];
  /** What was asked for that this server does not know. */
  readonly unknown: readonly string[];
}

export interface ModelServerOptions {
  readonly authority: TestAuthority;
  /** Who has it is let in. */
  readonly secret: string;
  /** What the model wants to be run, in turn. */
  readonly commands: readonly string[];
}

const turns: readonly { readonly path: RegExp; readonly turn: ModelTurn }[] = [
  { path: /^\/v1\/messages$/, turn: anthropicTurn },
  { path: /^\/v1\/responses$/, turn: responsesTurn },
  { path: /^\/v1\/chat\/completions$/, turn: chatTurn },
  { path: /^\/v1beta\/models\/[^/]+:(?:streamGenerateContent|generateContent)$/, turn: geminiTurn },
];

/** What the model says when nothing is left to run. */
const finalWords = 'The task is done.';

export async function modelServer({ authority, secret, commands }: ModelServerOptions): Promise<ModelServer> {
  const outputs: string[] = [];
  const credentials: string[] = [];
  const unknown: string[] = [];
  const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { pathname } = new URL(request.url ?? '/', 'https://model.invalid');
    const body = await text(request);
    const turn = turns.find(({ path }) => path.test(pathname))?.turn;
    if (turn === undefined || request.method !== 'POST') {
      unknown.push(`${request.method} ${pathname}`);
      return void response.writeHead(404, { 'content-type': 'application/json' }).end('{"error":{}}');
    }
    const credential = credentialOf(request);
    credentials.push(credential);
    if (credential !== secret)
      return void response
        .writeHead(401, { 'content-type': 'application/json' })
        .end('{"type":"error","error":{"type":"authentication_error","message":"no such key"}}');
    const asked = turn.read(JSON.parse(body));
    if (asked.outputs.length > outputs.length) outputs.push(...asked.outputs.slice(outputs.length));
    const command = asked.canRun ? commands[asked.outputs.length] : undefined;
    turn.write(response, command === undefined ? { say: finalWords } : { run: command }, asked, pathname);
  };
  const handler: RequestListener = (request, response) => {
    respond(request, response).catch(() => response.destroy());
  };
  const origin = await httpsOrigin({ authority, handler });
  return {
    port: origin.port,
    origin,
    outputs,
    credentials,
    unknown,
    [Symbol.asyncDispose]: () => origin.close(),
  };
}

function credentialOf({ headers }: IncomingMessage): string {
  const field = headers['x-api-key'] ?? headers['x-goog-api-key'];
  return typeof field === 'string' ? field : (headers.authorization ?? '').replace(/^Bearer /, '');
}
