// What commands and shells have in common on the side of the client: what they write beside, their end, and words of the gateway.

import type { ServerChannel } from 'ssh2';
import type { ProxyError } from '../../protocol/error.ts';
import type { EndOutcome } from '../databases/protocol-end.ts';
import { type ChannelWriter, finish } from './channel-writer.ts';
import type { ClientSide, SshConnection } from './client-side.ts';
import type { RunningCommand } from './server-side.ts';

export interface Told {
  readonly client: ClientSide;
  readonly writer: ChannelWriter<ServerChannel>;
}

/** As git and shells have it for what was not run. */
export const refusedStatus = 128;
/** What ssh gives where the connection was lost. */
const lostStatus = 255;

interface RelayErrors extends Told {
  readonly octetsMax: number;
  /** What has to be done before it goes on; undefined: it is done. */
  readonly pass: (chunk: Buffer) => Promise<unknown> | undefined;
}

/** What the command writes beside what it gives, up to a bound. */
export function relayErrors(
  { channel: server }: Pick<RunningCommand, 'channel'>,
  { client, writer, octetsMax, pass }: RelayErrors,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let left = octetsMax;
  let [isOnItsWay, isOver] = [false, false];
  const over = (): void => {
    isOver = true;
    if (!isOnItsWay) resolve();
  };
  server.stderr.on('data', (chunk: Buffer) => {
    const piece = chunk.subarray(0, left);
    left -= piece.length;
    server.stderr.pause();
    isOnItsWay = true;
    const goOn = (): void => {
      isOnItsWay = false;
      if (isOver) resolve();
      server.stderr.resume();
    };
    const write = (): void => {
      if (piece.length === 0 || client.wire.destroyed) goOn();
      else writer.write(writer.channel.stderr, piece, goOn);
    };
    // What is left out came all the same.
    const undone = pass(chunk);
    if (undone === undefined) write();
    // What is not paid for ends both sides.
    else undone.then(write, goOn);
  });
  for (const event of ['end', 'close', 'error']) server.stderr.once(event, over);
  // Said once the other one was read: what of this one waits comes yet.
  server.once('close', () => {
    if (server.stderr.readableEnded || server.stderr.destroyed) over();
  });
  client.wire.once('close', () => resolve());
  return promise;
}

/** @param ending as the server said it: a status, or a signal; undefined: it said none */
export async function finishAs(
  connection: Pick<SshConnection, 'notedSsh'>,
  writer: ChannelWriter<ServerChannel>,
  ending: number | string | undefined,
): Promise<void> {
  if (typeof ending === 'number') connection.notedSsh({ status: ending });
  else if (ending !== undefined) connection.notedSsh({ signal: ending });
  const lines = ending === undefined ? ['the connection to the server was lost'] : [];
  await finish(writer, lines, ending ?? lostStatus);
}

/** The client is told on its standard error, and its command has failed. */
export function tell(writer: ChannelWriter<ServerChannel>, error: ProxyError): EndOutcome {
  // Not waited for: a client that does not take it is cut off with its connection.
  void finish(writer, wordsOf(error), refusedStatus);
  writer.channel.resume();
  return { kind: 'refused', error };
}

/** A terminal in which a shell runs goes to the first column for nothing else. */
export function wordsOf(error: ProxyError, isTerminal = false): readonly string[] {
  const lines = [error.message, ...(error.next === undefined ? [] : [error.next])];
  return isTerminal ? lines.map((line) => `${line}\r`) : lines;
}
