// An origin that says what it saw, and takes only what a test lets through.

import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

import { authority } from '../../gateway/credentials/support/credential-scene.ts';

export interface EchoOrigin extends AsyncDisposable {
  readonly port: number;
  readonly seen: readonly {
    readonly method: string;
    readonly path: string;
    readonly authorization: string;
  }[];
}

/** 401 where `takes` says no; else JSON that repeats the field Authorization, as some origins do. */
export async function openEchoOrigin(
  host: string,
  takes: (authorization: string, request: IncomingMessage) => boolean,
): Promise<EchoOrigin> {
  const seen: { method: string; path: string; authorization: string }[] = [];
  const server = createServer(authority.issue(host), (request, response) => {
    void text(request).then(() => {
      const { method = '', url = '' } = request;
      const { authorization = '' } = request.headers;
      seen.push({ method, path: url, authorization });
      response.statusCode = takes(authorization, request) ? 200 : 401;
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ method, path: url, authorization }));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    // Listening on a port, not on a path.
    port: (server.address() as AddressInfo).port,
    seen,
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
      await Promise.resolve();
    },
  };
}
