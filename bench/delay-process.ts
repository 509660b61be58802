// A line that is long, in user space: connections to its port go on to another one, and each direction arrives half a round trip later.
// The kernel has set a connection up before it is seen here, so its first bytes wait for one round trip more, as those of a real one do.
// usage: delay-process.ts TARGET-PORT RTT-MS [PORT]

import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

import { DelayQueue } from './link/delay-queue.ts';

const [targetPort, rttMs, port = 0] = process.argv.slice(2).map(Number);
if (targetPort === undefined || rttMs === undefined)
  throw new Error('delay-process.ts TARGET-PORT RTT-MS [PORT]');
/** 64 MiB in 10 ms are 6.7 GB/s: more than goes through this process. */
const bytesMax = 64 * 1024 * 1024;

function lead(from: Socket, to: Socket, firstExtraMs: number): void {
  const queue = new DelayQueue({
    delayMs: (rttMs ?? 0) / 2,
    bytesMax,
    now: () => performance.now(),
    // To the millisecond, as timers of Node are; turning in a loop for the rest would take a processor from what is measured.
    after: (ms, call) => setTimeout(call, ms),
    send: (chunk) => {
      if (to.destroyed) return;
      // What the far end does not take is not on the way any more: it holds the source up itself.
      if (!to.write(chunk)) from.pause();
    },
    end: () => to.end(),
  });
  let extraMs = firstExtraMs;
  from.on('data', (chunk: Buffer) => {
    if (!queue.push(chunk, extraMs)) from.pause();
    extraMs = 0;
  });
  queue.onRoom = () => from.resume();
  to.on('drain', () => from.resume());
  from.on('end', () => queue.push(undefined));
}

const server = createServer({ noDelay: true, allowHalfOpen: true }, (near) => {
  const far = connect({ port: targetPort, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
  for (const [one, other] of [
    [near, far],
    [far, near],
  ] as const) {
    one.on('error', () => other.destroy());
    one.on('close', () => other.destroySoon());
  }
  lead(near, far, rttMs);
  lead(far, near, 0);
});
server.listen({ port, host: '127.0.0.1', backlog: 1024 }, () => {
  // A server that listens has an address with a port.
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});
