// The faults that a tunnel connection finds, and the texts that it sends.

import { errorTable } from './error-table.ts';
import { ProxyError } from './error.ts';
import type { OpenFields } from './frame.ts';
import { encodeFrame, frameHeaderBytes, uint31Max } from './frame-codec.ts';
import type { KeepAliveTimes } from './keep-alive.ts';
import type { LimitName } from './limits.ts';
import type { TunnelRole } from './tunnel-options.ts';

/** A message for the other side is a sentence, not a document. */
const messageCharactersMax = 500;

/** A frame that is not allowed in this state. */
export function unexpected(what: string): ProxyError {
  return new ProxyError('frame_unexpected', `the peer broke the tunnel protocol: ${what}`);
}

/** A peer counts what it never got, or takes back what it had. */
export function impossibleCount(count: number): ProxyError {
  return unexpected(`it says that it has ${count} octets, which cannot be`);
}

/** A message ended inside a frame. */
export function cutFrame(): ProxyError {
  return new ProxyError('frame_truncated', 'the message ended inside a frame');
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

/** An open crossed our goaway. */
export function gatewayDrains(): ProxyError {
  return new ProxyError('shutting_down', 'the gateway drains');
}

/** Nothing came for too long. */
export function silentPeer(role: TunnelRole, { timeoutMs, limit }: KeepAliveTimes): ProxyError {
  const peer = role === 'agent' ? 'gateway' : 'agent';
  const message = `the ${peer} sent nothing for ${timeoutMs} ms (${limit})`;
  return new ProxyError('tunnel_lost', message, { limit });
}

export function tunnelClosed(): ProxyError {
  return new ProxyError('tunnel_lost', 'The tunnel to the other side is closed.');
}

export function pingCancelled(cause: unknown): ProxyError {
  return new ProxyError('cancelled', 'The ping of the tunnel was cancelled.', { cause });
}

/** The last word of an end. */
export function encodeGoaway(lastStreamId: number, code: number, message: string): Uint8Array {
  return encodeFrame({ type: 'goaway', lastStreamId, code, message: bounded(message) });
}

/** A stream begins. Throws frame_too_large for fields that the peer would not take. */
export function encodeOpen(streamId: number, fields: OpenFields, bytesMax: number): Uint8Array {
  const encoded = encodeFrame({ type: 'open', streamId, fields });
  if (encoded.length - frameHeaderBytes <= bytesMax) return encoded;
  throw new ProxyError('frame_too_large', `the fields of a stream exceed ${bytesMax} bytes`);
}

/** A goaway went one way or the other. */
export function noNewStreams(): ProxyError {
  return new ProxyError('shutting_down', 'the tunnel takes no new streams; open the stream on a new tunnel');
}

/** More is said to be consumed than there was. */
export function notHeld(id: number, heldBytes: number, bytes: number): ProxyError {
  return new ProxyError('internal', `stream ${id} holds ${heldBytes} bytes, so ${bytes} cannot be consumed`);
}

/** More than may wait on all streams of a session together. */
export function unreadLimit(limit: LimitName): ProxyError {
  const message = `too much waits on streams that nobody reads (${limit}); end some and try again`;
  return new ProxyError('limit_exceeded', message, { limit });
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

/** The text of a foreign error may tell the peer what is not meant for it: it gets the code's meaning instead. */
export function resetReason(error: Error): ProxyError {
  if (error instanceof ProxyError) return error;
  return new ProxyError('stream_reset', errorTable.stream_reset.meaning, { cause: error });
}
