// Stands in for Open Policy Agent: the part of its REST API that asks for a document (POST /v1/data/…), as its documentation describes it. The
// program itself cannot be had where the tests run.

import { once } from 'node:events';
import http, { type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { TestAuthority } from './test-authority.ts';

/** What a document says to an input. Undefined: it is not defined for it. */
export type OpaRule = (input: never) => unknown;

export interface OpaOptions {
  /** By path behind /v1/data/. */
  readonly documents: Readonly<Record<string, OpaRule>>;
  /** Without it every question is refused with 401. */
  readonly token?: string;
  /** Over TLS, for this name. */
  readonly tls?: {
    readonly authority: TestAuthority;
    readonly host: string;
    /** Only clients with this certificate (PEM) are served. */
    readonly clients?: string;
  };
  readonly logsDecisions?: boolean;
  /** In place of the API. */
  readonly instead?: (request: IncomingMessage, response: ServerResponse) => void;
}

export interface OpaAsked {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  // eslint-disable-next-line typescript/no-explicit-any -- of whatever form the question has
  readonly input: any;
}

export interface OpaServer extends AsyncDisposable {
  readonly port: number;
  readonly url: (document: string) => string;
  readonly asked: readonly OpaAsked[];
  /** How many connections there were. */
  readonly connections: number;
}

export async function openOpa(options: OpaOptions): Promise<OpaServer> {
  const asked: OpaAsked[] = [];
  let connections = 0;
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    void respond(request, response, { ...options, asked });
  };
  const { tls } = options;
  const server =
    tls === undefined
      ? http.createServer(listener)
      : https.createServer({ ...tls.authority.issue(tls.host), ...clientsOf(tls.clients) }, listener);
  server.on(tls === undefined ? 'connection' : 'secureConnection', () => (connections += 1));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const origin =
    tls === undefined ? `http://127.0.0.1:${String(port)}` : `https://${tls.host}:${String(port)}`;
  return {
    port,
    url: (document) => `${origin}/v1/data/${document}`,
    asked,
    get connections() {
      return connections;
    },
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  { documents, token, logsDecisions = false, instead, asked }: OpaOptions & { readonly asked: OpaAsked[] },
): Promise<void> {
  const say = (status: number, value: unknown): void => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(value)}\n`);
  };
  const body = await text(request);
  const path = request.url?.replace(/^\/v1\/data\//, '') ?? '';
  let question: { input?: unknown };
  try {
    question = JSON.parse(body) as { input?: unknown };
  } catch {
    return say(400, { code: 'invalid_parameter', message: 'body contains malformed input document' });
  }
  asked.push({ path, headers: request.headers, input: question.input });
  if (instead !== undefined) return instead(request, response);
  if (token !== undefined && request.headers.authorization !== `Bearer ${token}`)
    return say(401, { code: 'unauthorized', message: 'request rejected by administrative policy' });
  const id = logsDecisions ? { decision_id: `decision-${String(asked.length)}` } : {};
  const document = documents[path];
  try {
    const result = document?.(question.input as never);
    say(200, { ...id, ...(result === undefined ? {} : { result }) });
  } catch {
    say(500, { code: 'internal_error', message: 'error(s) occurred while evaluating query' });
  }
}

function clientsOf(clients: string | undefined): https.ServerOptions {
  return clients === undefined ? {} : { ca: clients, requestCert: true, rejectUnauthorized: true };
}
