// What gateways say to each other of changes: a line of JSON each. Members that are not known are passed over: the next version may say more.

import type { Socket } from 'node:net';
import { z } from 'zod';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { NumberedEnding } from '../../store/store.ts';

const number = z.int().nonnegative();
/** Of which history of the store the numbers of the line are; numbers of another one say nothing. */
const history = z.string().max(200).optional();
/** Number, session, how it ended and why. */
export const endingSchema = z
  .tuple([number, z.string().min(1).max(200), z.enum(['ended', 'revoked']), z.string().max(4000)])
  .transform(([sequence, sessionId, state, reason]): NumberedEnding => ({
    sequence,
    sessionId,
    state,
    reason,
  }));

/** The first line of who follows: of which number on it wants endings, and where others reach it. */
export const askedSchema = z.object({ above: number, history, at: z.string().max(300).optional() });
/** Its later lines: it lives, and what it has taken and could not say in the store. */
export const takenSchema = z.object({ taken: number.optional(), history });
/** Lines of who is followed: endings, and up to which change it has taken all, of which the endings have been told by then. */
export const toldSchema = z.object({
  endings: z.array(endingSchema).max(1000),
  history,
  taken: number.optional(),
  /** The version of the identity that it has of the store. */
  identity: number.optional(),
});

export function toldLine(
  endings: readonly NumberedEnding[],
  ofHistory: string | undefined,
  { taken, identity }: { readonly taken?: number | undefined; readonly identity?: number | undefined } = {},
): z.input<typeof toldSchema> {
  return { history: ofHistory, endings: endings.map(endingLine), taken, identity };
}

export function endingLine({
  sequence,
  sessionId,
  state,
  reason,
}: NumberedEnding): z.input<typeof endingSchema> {
  return [sequence, sessionId, state, reason.slice(0, 4000)];
}

/** Throws ProxyError peer_unreachable for what is none. */
export function readChangeLine<T>(schema: z.ZodType<T>, line: string): T {
  try {
    return schema.parse(JSON.parse(line));
  } catch (error) {
    throw new ProxyError('peer_unreachable', 'another gateway says something else than changes', {
      cause: error,
    });
  }
}

/** Lines until the end. One that is too long, or does not come in time, ends the connection. */
export async function* linesOf(
  socket: Socket,
  silenceMs: number = defaultLimits.peerSilenceMs,
): AsyncGenerator<string> {
  const { peerLineBytesMax } = defaultLimits;
  const silence = setTimeout(() => socket.destroy(), silenceMs);
  let begun: Buffer[] = [];
  let bytes = 0;
  try {
    // It gives Buffers: no encoding is set on it.
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      let rest = chunk;
      for (let end = rest.indexOf(0x0a); end !== -1; end = rest.indexOf(0x0a)) {
        silence.refresh();
        yield Buffer.concat([...begun, rest.subarray(0, end)]).toString('utf8');
        [begun, bytes] = [[], 0];
        rest = rest.subarray(end + 1);
      }
      bytes += rest.length;
      if (bytes > peerLineBytesMax) return;
      if (rest.length > 0) begun.push(rest);
    }
  } finally {
    clearTimeout(silence);
    socket.destroy();
  }
}

/** Resolves when there is room for more, or the socket is gone. Never rejects. */
export async function sendLine(socket: Socket, value: object): Promise<void> {
  if (socket.destroyed || socket.write(`${JSON.stringify(value)}\n`)) return;
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const end = (): void => resolve(undefined);
  socket.once('drain', end).once('close', end);
  await promise;
  socket.off('drain', end).off('close', end);
}
