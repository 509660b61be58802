// Bytes both ways between two sockets, with half-close, backpressure and counts.

import type { Duplex, Transform } from 'node:stream';

import { type LinkAbsence, Silence } from '../../net/link-absence.ts';
import { ProxyError, asProxyError } from '../../protocol/error.ts';
import type { LimitName, Limits } from '../../protocol/limits.ts';
import { meteredStream, type SpendBytes } from './metered-stream.ts';

export interface PipedBytes {
  readonly fromFirst: number;
  readonly fromSecond: number;
  /** Why the gateway itself ended them: a budget that was spent, or no byte for too long. */
  readonly fault?: ProxyError;
}

export interface PipeOptions {
  /** Bytes pass once they are paid for; what cannot be paid for ends both sides. */
  readonly spendBytes?: SpendBytes | undefined;
  /** The limit after which both sides end if no byte passed either way. */
  readonly idle?: {
    readonly limits: Limits;
    readonly name: LimitName;
    /** When one of both could not be reached. */
    readonly absence?: LinkAbsence | undefined;
  };
  /** What the first side sends goes through these, one after the other. */
  readonly throughFirst?: readonly Transform[];
  /** What the second side sends. */
  readonly throughSecond?: readonly Transform[];
}

/** Resolves when both directions ended; a failure on one side destroys the other with the same error. */
export async function pipeBoth(
  first: Duplex,
  second: Duplex,
  { spendBytes, idle, throughFirst = [], throughSecond = [] }: PipeOptions = {},
): Promise<PipedBytes> {
  if (first.destroyed || second.destroyed) return breakOff([first, second]);
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const bytes = { fromFirst: 0, fromSecond: 0 };
  let fault: ProxyError | undefined;
  let open = 2;
  const closed = (): void => {
    open -= 1;
    if (open === 0) resolve(undefined);
  };
  const end = (error: ProxyError): void => {
    fault ??= error;
    first.destroy(error);
    second.destroy(error);
  };
  const timer =
    idle === undefined ? undefined : idleTimer(idle, () => bytes.fromFirst + bytes.fromSecond, end);
  const count = (from: Duplex, name: 'fromFirst' | 'fromSecond'): void => {
    from.on('data', (chunk: Buffer) => {
      bytes[name] += chunk.length;
      timer?.refresh();
    });
  };
  count(first, 'fromFirst');
  count(second, 'fromSecond');
  const meter = (): readonly Transform[] => {
    if (spendBytes === undefined) return [];
    const metered = meteredStream(spendBytes);
    metered.once('error', (error) => {
      end(asProxyError(error));
    });
    return [metered];
  };
  link(first, second, closed, [...meter(), ...throughFirst]);
  link(second, first, closed, [...meter(), ...throughSecond]);
  await promise;
  timer?.clear();
  return fault === undefined ? bytes : { ...bytes, fault };
}

/** One side closed before it got here, so that none of its events would end the other. */
function breakOff(sides: readonly Duplex[]): PipedBytes {
  for (const side of sides) {
    side.once('error', () => undefined);
    side.destroy(new ProxyError('stream_reset', 'the other side broke off'));
  }
  return { fromFirst: 0, fromSecond: 0 };
}

function idleTimer(
  { limits, name, absence }: NonNullable<PipeOptions['idle']>,
  bytesMoved: () => number,
  end: (error: ProxyError) => void,
): { refresh(): void; clear(): void } {
  const silence = new Silence(absence, limits[name], bytesMoved);
  let timer = setTimeout(look, limits[name]);
  function look(): void {
    const moreMs = silence.moreMs();
    if (moreMs !== undefined) timer = setTimeout(look, moreMs);
    else
      end(new ProxyError('timeout', `no byte either way for ${limits[name]} ms (${name})`, { limit: name }));
  }
  return { refresh: () => void timer.refresh(), clear: () => clearTimeout(timer) };
}

function link(from: Duplex, to: Duplex, closed: () => void, through: readonly Transform[]): void {
  from.once('error', (error) => {
    // Behind its end only the way back is broken: what it sent before is still on its way to the other side.
    if (!from.readableEnded) to.destroy(asProxyError(error, 'stream_reset'));
  });
  from.once('close', () => {
    // Closed without an end: the other side must not take it for one.
    if (!from.readableEnded && !to.destroyed)
      to.destroy(asProxyError(from.errored ?? new Error('the other side broke off'), 'stream_reset'));
    // Nobody takes what the other side still sends; it is read on so that its end is seen. Taken off first, since a
    // pipe that loses its end stops reading.
    else to.unpipe().resume();
    closed();
  });
  let last = from;
  for (const next of through) last = last.pipe(next);
  last.pipe(to);
}
