// A port whose queue of connections is full and never emptied: the kernel drops every further SYN, as a firewall would.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

import { allowedAddress } from './sentry.ts';

export interface BlackHole extends AsyncDisposable {
  readonly address: string;
}

/** A fixed one, since a policy names it before the listener is there; below the ports that the system gives out. */
export const blackHolePort = 9_979;

/** Listens, says so, and then stands still for ever: nothing is accepted any more. */
const listener = `
const server = require('node:net').createServer().listen({ port: ${blackHolePort}, host: '${allowedAddress}', backlog: 1 }, () => {
  require('node:fs').writeSync(1, 'up');
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300_000);
  process.exit();
});`;

const fillersMax = 16;
const dropsAfterMs = 300;

/** Starts it and fills its queue. @throws if this kernel takes connections without end */
export async function startBlackHole(): Promise<BlackHole> {
  const child = spawn(process.execPath, ['-e', listener], { stdio: ['ignore', 'pipe', 'inherit'] });
  const fillers: Socket[] = [];
  const close = async (): Promise<void> => {
    for (const socket of fillers) socket.destroy();
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  try {
    const ended = once(child, 'exit').then(() => {
      throw new Error('the listener ended');
    });
    ended.catch(() => undefined);
    await Promise.race([once(child.stdout, 'data'), ended]);
    for (let count = 0; count < fillersMax; count += 1) {
      const socket = connect({ port: blackHolePort, host: allowedAddress });
      fillers.push(socket);
      socket.on('error', () => undefined);
      const isTaken = await Promise.race([
        once(socket, 'connect').then(() => true),
        new Promise<false>((resolve) => {
          setTimeout(() => resolve(false), dropsAfterMs);
        }),
      ]);
      if (!isTaken) return { address: allowedAddress, [Symbol.asyncDispose]: close };
    }
    throw new Error('the queue of a listener that accepts nothing never fills here');
  } catch (error) {
    await close();
    throw error;
  }
}
