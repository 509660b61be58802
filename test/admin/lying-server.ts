// A server that responds as it is told, as long as it is open; it counts what it is asked.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { type Admin, openAdmin } from '../../src/admin/admin.ts';

export const anyToken = `upadm_${'A'.repeat(43)}`;

export interface AskedRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export interface LyingServer extends AsyncDisposable {
  readonly port: number;
  readonly asked: AskedRequest[];
  open(): Promise<Admin>;
}

type Respond = (response: ServerResponse, request: AskedRequest, n: number) => void;

/** `respond` is told the number of the request, from 0. */
export async function lyingServer(respond: Respond): Promise<LyingServer> {
  const asked: AskedRequest[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      const { method = '', url = '', headers } = request;
      const one = { method, url, headers, body: await text(request) };
      asked.push(one);
      respond(response, one, asked.length - 1);
    })();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    asked,
    open: () => openAdmin({ server: `http://127.0.0.1:${port}`, token: anyToken }),
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

export function sendJson(
  response: ServerResponse,
  value: unknown,
  {
    status = 200,
    type = 'application/json',
    fields = {},
  }: { status?: number; type?: string; fields?: Record<string, string> } = {},
): void {
  response.writeHead(status, { 'content-type': type, ...fields }).end(JSON.stringify(value));
}

export function sendProblem(
  response: ServerResponse,
  {
    status,
    code,
    fields = {},
  }: { readonly status: number; readonly code: string; readonly fields?: Record<string, string> },
): void {
  const problem = {
    type: 'about:blank',
    title: code,
    status,
    detail: `a test of ${code}`,
    code,
    trace_id: 'a'.repeat(32),
  };
  sendJson(response, problem, { status, type: 'application/problem+json', fields });
}
