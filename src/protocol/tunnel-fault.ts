// The faults that a tunnel connection finds, and the texts that it sends.

import { ProxyError } from './error.ts';
import { uint31Max } from './frame-codec.ts';

/** A message for the other side is a sentence, not a document. */
const messageCharactersMax = 500;

/** A frame that is not allowed in this state. */
export function unexpected(what: string): ProxyError {
  return new ProxyError('frame_unexpected', `the peer broke the tunnel protocol: ${what}`);
}

/** More data than credit. */
export function overrun(owner: string, limit: 'connectionWindowBytes' | 'windowBytesMax'): ProxyError {
  return new ProxyError('flow_control', `more data arrived than the window of ${owner} allows`, { limit });
}

/** One stream more than allowed. */
export function streamLimit(streamsMax: number): ProxyError {
  return new ProxyError(
    'stream_limit',
    `${streamsMax} streams are open on the tunnel (streamsMax); end some first`,
    { limit: 'streamsMax' },
  );
}

/** The sum; throws flow_control when it does not fit 31 bits. */
export function addCredit(credit: number, bytes: number, owner: string): number {
  if (credit + bytes <= uint31Max) return credit + bytes;
  throw new ProxyError('flow_control', `the window of ${owner} grew above ${uint31Max} bytes`);
}

/** A message as it may go on the wire: well-formed and at most a few hundred characters. */
export function bounded(message: string): string {
  const isLong = message.length > messageCharactersMax;
  return (isLong ? `${message.slice(0, messageCharactersMax)}…` : message).toWellFormed();
}
