// Octets of a file on their way to one client: no more is read than that takes.

import { Buffer } from 'node:buffer';
import type { FileHandle } from 'node:fs/promises';
import type { LinkAbsence } from '../../net/link-absence.ts';
import { ProxyError } from '../../protocol/error.ts';
import { clientLeft, idleFor, type ResponseReceiver } from '../forward/forwarder.ts';

/** What is read at a time. */
export const readOutBytes = 65_536;

export interface Reader {
  readonly receiver: ResponseReceiver;
  readonly signal: AbortSignal;
  readonly idleTimeoutMs: number;
  /** When the client could not be reached, which counts for nothing. */
  readonly absence?: LinkAbsence | undefined;
}

/** Hands on what is there from `from` up to `to`. @throws ProxyError cancelled, timeout, what the receiver throws; else a fault of the disk */
export async function readOut(
  handle: FileHandle,
  { from, to }: { readonly from: number; readonly to: number },
  reader: Reader,
  onTaken?: (at: number) => void,
): Promise<void> {
  for (let at = from; at < to;) {
    if (reader.signal.aborted) throw clientLeft();
    const octets = Buffer.allocUnsafeSlow(Math.min(readOutBytes, to - at));
    const { bytesRead } = await handle.read(octets, 0, octets.length, at);
    if (bytesRead === 0) throw new ProxyError('internal', 'a file of the cache is shorter than it was');
    at += bytesRead;
    await handOn(octets.subarray(0, bytesRead), reader);
    onTaken?.(at);
  }
}

/** The same of what is in memory. */
export async function readOutMemory(
  octets: Uint8Array,
  { from, to }: { readonly from: number; readonly to: number },
  reader: Reader,
): Promise<void> {
  for (let at = from; at < to; at += readOutBytes)
    await handOn(octets.subarray(at, Math.min(to, at + readOutBytes)), reader);
}

export async function handOn(octets: Uint8Array, reader: Reader): Promise<void> {
  if (reader.signal.aborted) throw clientLeft();
  const { promise, resolve } = Promise.withResolvers<undefined>();
  if (reader.receiver.onData(octets, () => resolve(undefined))) return;
  const { signal, idleTimeoutMs, absence } = reader;
  const sinceMs = performance.now();
  for (let leftMs = idleTimeoutMs; ;) {
    if ((await firstOf(promise, { signal, waitMs: leftMs })) === 'there') return;
    if (signal.aborted) throw clientLeft();
    leftMs = idleTimeoutMs + (absence?.since(sinceMs) ?? 0) - (performance.now() - sinceMs);
    if (leftMs <= 0) throw idleFor('the client took nothing of the response');
  }
}

interface Waiting {
  readonly signal: AbortSignal;
  readonly waitMs: number;
}

/** Waits for it, for the signal and for the time; never rejects. */
export async function firstOf(
  awaited: Promise<unknown>,
  { signal, waitMs }: Waiting,
): Promise<'there' | 'left' | 'late'> {
  if (signal.aborted) return 'left';
  const { promise, resolve } = Promise.withResolvers<'there' | 'left' | 'late'>();
  const there = (): void => resolve('there');
  const left = (): void => resolve('left');
  const timer = setTimeout(() => resolve('late'), Math.ceil(waitMs));
  signal.addEventListener('abort', left, { once: true });
  awaited.then(there, there);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', left);
  }
}
