// The SDK of MCP, which is there with `npm run test:understanding` alone, and a way for its clients through the gateway.

import { createServer, request as ask, type Server } from 'node:http';
import { createRequire } from 'node:module';
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { pathToFileURL } from 'node:url';

export const sdkFolder = process.env['TEST_UNDERSTANDING'];
export const skipWithoutSdk = sdkFolder === undefined ? 'of npm run test:understanding' : false;

type Made<T> = new (...values: unknown[]) => T;

export async function sdk(name: string): Promise<Record<string, Made<object>>> {
  const require = createRequire(join(sdkFolder ?? '', 'package.json'));
  const file = require.resolve(`@modelcontextprotocol/sdk/${name}.js`).replace('/cjs/', '/esm/');
  return (await import(pathToFileURL(file).href)) as Record<string, Made<object>>;
}

export interface Door extends AsyncDisposable {
  readonly origin: string;
}

/** An address of loopback behind which the server is: each request goes on by a connection that `open` gives, to `authority`. */
export async function openDoor(authority: string, open: () => Duplex): Promise<Door> {
  const server: Server = createServer((request, response) => {
    const { method, url: path, headers } = request;
    const sent = ask({
      createConnection: open,
      method,
      path,
      headers: { ...headers, host: authority, connection: 'close' },
    });
    sent.on('response', (got) => {
      response.writeHead(got.statusCode ?? 500, got.headers);
      response.flushHeaders();
      got.on('error', () => response.destroy());
      got.pipe(response);
    });
    sent.on('error', () => response.destroy());
    response.on('close', () => sent.destroy());
    request.pipe(sent);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Past the gateway. */
export function openDirect(port: number): Promise<Door> {
  return openDoor(`127.0.0.1:${port}`, () => connect(port, '127.0.0.1'));
}
