// A port that is written down before its server starts.

import { once } from 'node:events';
import { createServer } from 'node:net';

/** All below those that the system gives out by itself, or another would have one of them before its server starts. */
const portMin = 10_000;
const portsTotal = 22_000;
/** Of each process of tests, which run beside one another. */
const portsPerProcess = 40;
let taken = 0;

/** One that no address of this machine has in use, another with each call. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = portMin + ((process.pid * portsPerProcess + taken) % portsTotal);
    taken += 1;
    const server = createServer().listen({ port, host: '0.0.0.0' });
    try {
      await once(server, 'listening');
    } catch {
      continue;
    }
    server.close();
    await once(server, 'close');
    return port;
  }
}
