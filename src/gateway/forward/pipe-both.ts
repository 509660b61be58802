// Bytes both ways between two sockets, with half-close, backpressure and counts.

import type { Duplex, Readable, Transform } from 'node:stream';

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
  /** Where the gateway ends both: the first side is told why and closes by itself. Default: it is destroyed. */
  readonly parting?: Parting;
  /** Is given, before anything passes, what counts octets of the second side that go to the first beside the stream. */
  readonly beside?: ((pass: SpendBytes) => void) | undefined;
}

export interface Parting {
  /** Whether the first side was told, and is left to itself from here on. */
  readonly isUnderWay: boolean;
  /** False: nothing can be said to it. */
  begin(error: ProxyError): boolean;
}

/** Resolves when both directions ended; a failure on one side destroys the other with the same error. */
export async function pipeBoth(
  first: Duplex,
  second: Duplex,
  { spendBytes, idle, throughFirst = [], throughSecond = [], parting, beside }: PipeOptions = {},
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
    if (parting?.begin(error) !== true) first.destroy(error);
    second.destroy(error);
  };
  const timer =
    idle === undefined ? undefined : idleTimer(idle, () => bytes.fromFirst + bytes.fromSecond, end);
  const count = (from: Duplex, name: 'fromFirst' | 'fromSecond'): void => {
    from.on('data', (chunk: Buffer) => {
      bytes[name] += chunk.length;
      // What nobody takes any more does not keep the connection.
      if (open === 2) timer?.refresh();
    });
  };
  count(first, 'fromFirst');
  count(second, 'fromSecond');
  const steps = (way: readonly Transform[]): readonly Transform[] => {
    const all = spendBytes === undefined ? way : [meteredStream(spendBytes), ...way];
    // A fault of one ends these two sides, and nothing else.
    for (const step of all) step.on('error', (error) => end(asProxyError(error)));
    return all;
  };
  beside?.((octets) => {
    bytes.fromSecond += octets;
    if (open === 2) timer?.refresh();
    return spendBytes?.(octets)?.catch((error: unknown): never => {
      end(asProxyError(error));
      throw error;
    });
  });
  const onward = through(first, steps(throughFirst));
  const back = through(second, steps(throughSecond));
  link(first, { to: second, onward, back }, closed);
  link(second, { to: first, onward: back, back: onward, parting }, closed);
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

/** What comes out behind the last of them. */
function through(from: Duplex, steps: readonly Transform[]): Readable {
  let last: Readable = from;
  for (const next of steps) last = last.pipe(next);
  return last;
}

interface Link {
  readonly to: Duplex;
  /** What comes out for `to`. */
  readonly onward: Readable;
  /** What comes out of what `to` sends. */
  readonly back: Readable;
  /** Of `to`. */
  readonly parting?: Parting | undefined;
}

function link(from: Duplex, { to, onward, back, parting }: Link, closed: () => void): void {
  from.once('error', (error) => {
    if (parting?.isUnderWay === true) return;
    // Behind its end only the way back is broken: what it sent before is still on its way to the other side.
    if (!from.readableEnded || isEndOfGateway(error)) to.destroy(asProxyError(error, 'stream_reset'));
  });
  from.once('close', () => {
    closed();
    if (parting?.isUnderWay === true) return;
    // Closed without an end: the other side must not take it for one.
    if (!from.readableEnded && !to.destroyed)
      to.destroy(asProxyError(from.errored ?? new Error('the other side broke off'), 'stream_reset'));
    // Nobody takes what the other side still sends; it is read on, and paid for, so that its end is seen. Taken off
    // first, since a pipe that loses its end stops reading.
    else back.unpipe().resume();
  });
  onward.pipe(to);
}

/** The gateway ended it, for a limit or with the session: then nothing goes on for anybody. Others only went away. */
export function isEndOfGateway(error: Error | null): boolean {
  if (!(error instanceof ProxyError)) return false;
  return error.code !== 'stream_reset' && error.code !== 'cancelled' && error.code !== 'tunnel_lost';
}
