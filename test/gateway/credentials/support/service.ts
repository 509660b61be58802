// A service of a test behind TLS on loopback, which notes what it was asked.

import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

import { authority } from './credential-scene.ts';

export interface ServiceCall {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  /** Parsed if it is JSON; undefined if there is none. */
  readonly body: unknown;
}

export interface ServiceReply {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface TestService extends AsyncDisposable {
  readonly url: string;
  readonly calls: readonly ServiceCall[];
}

export async function openService(
  respond: (call: ServiceCall) => ServiceReply | Promise<ServiceReply>,
): Promise<TestService> {
  const calls: ServiceCall[] = [];
  const server = createServer(authority.issue('localhost'), (request, response) => {
    void (async () => {
      const given = await text(request);
      const isJson = request.headers['content-type'] === 'application/json';
      const call: ServiceCall = {
        method: request.method ?? '',
        path: request.url ?? '',
        headers: request.headers,
        body: given === '' ? undefined : isJson ? JSON.parse(given) : given,
      };
      calls.push(call);
      const { status, body, headers } = await respond(call);
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(body === undefined ? '' : JSON.stringify(body));
    })();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // Listening on a port, not on a path.
  const { port } = server.address() as AddressInfo;
  return {
    url: `https://localhost:${port}`,
    calls,
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
      await Promise.resolve();
    },
  };
}
