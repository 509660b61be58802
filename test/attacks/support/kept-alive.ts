// Many requests over one connection of HTTP/1.1 through relay and gateway.

import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

import type { Arena } from './arena.ts';
import { patienceMs } from '../../support/patience.ts';

export interface KeptAlive extends AsyncDisposable {
  /** Status of a GET. */
  status(path: string): Promise<number>;
  /** Body of a GET. @throws if the status is not 200 */
  body(path: string): Promise<string>;
}

/** A connection of the principal to `at`; another is made where the gateway ended it. */
export async function keptAlive(arena: Arena, at: string, principal: string): Promise<KeptAlive> {
  const agent = new Agent({ keepAlive: true, maxSockets: 4, maxFreeSockets: 4 });
  Object.assign(agent, {
    createConnection: (_options: unknown, done: (error: unknown, socket?: unknown) => void) =>
      void arena.tls(at, { principal }).then((socket) => done(null, socket), done),
  });
  const ask = async (path: string): Promise<{ readonly status: number; readonly body: string }> => {
    const request = httpRequest({ agent, path, host: 'kept.test', headers: { host: at } });
    request.end();
    const signal = AbortSignal.timeout(patienceMs);
    const [response] = (await once(request, 'response', { signal })) as [IncomingMessage];
    const body = await text(response);
    arena.received.push(Buffer.from(`${JSON.stringify(response.rawHeaders)}${body}`));
    return { status: response.statusCode ?? 0, body };
  };
  return {
    status: async (path) => (await ask(path)).status,
    body: async (path) => {
      const { status, body } = await ask(path);
      if (status !== 200) throw new Error(`${status}: ${body.slice(0, 200)}`);
      return body;
    },
    [Symbol.asyncDispose]: async () => agent.destroy(),
  };
}
