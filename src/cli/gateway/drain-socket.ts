// By which `gateway drain` reaches a gateway that runs: a Unix socket in its state folder, named after its configuration. Not a signal: a second
// one would end it at once, and a number in a file may be another process by now.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmod, lstat, rename, unlink } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join, resolve } from 'node:path';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { socketPathBytesMax } from '../../system/unix-socket.ts';

/** All that is said: the wish, and that all of it is done. */
const words = { drain: 'drain\n', ended: 'ended\n' } as const;

export interface DrainSocket extends AsyncDisposable {
  /** Resolves when somebody wants the gateway to end. */
  readonly requested: Promise<void>;
  /** The gateway has ended in good order. */
  tellEnded(): void;
}

export interface DrainPlace {
  readonly stateDirectory: string;
  readonly configFile: string;
}

function socketPath({ stateDirectory, configFile }: DrainPlace): string {
  // As it is written: behind links of a mounted ConfigMap or of a release the file is another one after each change.
  const name = createHash('sha256').update(resolve(configFile)).digest('hex').slice(0, 8);
  return join(stateDirectory, `drain-${name}.sock`);
}

/** Of two gateways with one configuration the later one has the name. @throws ProxyError gateway_port_unusable */
export async function listenForDrain(place: DrainPlace): Promise<DrainSocket> {
  const path = socketPath(place);
  // It is bound under a name of its own, so that what is removed with it is no other gateway's.
  const own = `${path}.${process.pid}`;
  const requested = Promise.withResolvers<void>();
  const waiting = new Set<Socket>();
  const server = createServer((socket) => hear(socket, waiting, requested.resolve));
  server.maxConnections = defaultLimits.drainCommandsMax;
  try {
    if (Buffer.byteLength(own) > socketPathBytesMax)
      throw new ProxyError('config_invalid', `its path has more than ${socketPathBytesMax} bytes`);
    await unlink(own).catch(() => undefined);
    server.listen(own);
    await once(server, 'listening');
    await chmod(own, 0o600);
    await rename(own, path);
  } catch (error) {
    server.close();
    const { message } = asProxyError(error);
    throw new ProxyError('gateway_port_unusable', `"gateway drain" cannot reach it by ${path}: ${message}`);
  }
  const { ino } = await lstat(path);
  // The process serves others; this alone keeps it for nobody.
  server.unref();
  return {
    requested: requested.promise,
    tellEnded: () => {
      for (const socket of waiting) socket.end(words.ended);
    },
    [Symbol.asyncDispose]: () => close(server, { path, ino, waiting }),
  };
}

async function close(
  server: Server,
  { path, ino, waiting }: { readonly path: string; readonly ino: number; readonly waiting: Set<Socket> },
): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found?.ino === ino) await unlink(path).catch(() => undefined);
  server.close();
  // Who waits has a moment to be told.
  const timer = setTimeout(() => {
    for (const socket of waiting) socket.destroy();
  }, defaultLimits.lingerTimeoutMs);
  await Promise.all([...waiting].map((socket) => (socket.closed ? undefined : once(socket, 'close'))));
  clearTimeout(timer);
}

/** Whoever connects may: the folder and the mode of the socket keep others out. What says something else is cut off. */
function hear(socket: Socket, waiting: Set<Socket>, onWish: () => void): void {
  let said = '';
  waiting.add(socket);
  socket.setEncoding('utf8').setTimeout(defaultLimits.closeTimeoutMs, () => socket.destroy());
  socket.on('error', () => undefined).once('close', () => waiting.delete(socket));
  socket.on('data', (text: string) => {
    said += text;
    if (said === words.drain) {
      socket.setTimeout(0);
      onWish();
    } else if (!words.drain.startsWith(said)) socket.destroy();
  });
}

/** Has the gateway of that configuration drain, and waits until it has ended. @throws ProxyError gateway_unreachable, timeout */
export async function requestDrain(place: DrainPlace, withinMs: number): Promise<void> {
  const socket = connect(socketPath(place));
  const timer = setTimeout(() => {
    socket.destroy(new ProxyError('timeout', `the gateway has not ended within ${withinMs} ms`));
  }, withinMs);
  let said = '';
  try {
    socket.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(0, 16)));
    await once(socket, 'connect').catch((cause: unknown) => {
      const why = 'no gateway runs with this configuration on this machine, or it is of another user';
      throw new ProxyError('gateway_unreachable', why, { cause });
    });
    socket.write(words.drain);
    await once(socket, 'close');
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
  if (said !== words.ended)
    throw new ProxyError('gateway_unreachable', 'the gateway ended before it was done with its drain');
}
