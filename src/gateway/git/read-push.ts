// Reads the commands of a push off its body and puts the bytes back: what was judged is what goes upstream, byte for
// byte, and the pack behind it streams by unseen.

import { Buffer } from 'node:buffer';
import type { Readable } from 'node:stream';
import { constants, gunzipSync } from 'node:zlib';
import type { HeaderList } from '../../http/header-list.ts';
import { PushCommandReader } from '../../policy/git-commands.ts';
import type { PushCommands } from '../../policy/git-commands.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import { bodyFault } from '../forward/forwarder.ts';

const gzipStepBytes = 2048;
/** A byte of deflate stands for no more than this many (zlib's technical details). */
const deflateRatioMax = 1032;

/** @throws ProxyError request_malformed, body_too_large, timeout, cancelled */
export async function readPush(body: Readable, headers: HeaderList, limits: Limits): Promise<PushCommands> {
  const reader = readerFor(headers, limits);
  const deadline = Date.now() + limits.pushCommandsTimeoutMs;
  const taken: Buffer[] = [];
  try {
    for (;;) {
      await readable(body, deadline);
      // A Readable of bytes gives Buffers.
      for (let chunk; (chunk = body.read() as Buffer | null) !== null;) {
        taken.push(chunk);
        const commands = reader(chunk);
        if (commands !== undefined) return commands;
      }
      if (body.readableEnded) throw broken('the body ended inside its commands');
    }
  } finally {
    // In the same turn as the last `read`: the body has not ended while this is in it.
    if (!body.destroyed && !body.readableEnded && taken.length > 0) body.unshift(Buffer.concat(taken));
  }
}

/** Takes pieces of the body as they are sent; gives the commands once they are there. */
function readerFor(headers: HeaderList, limits: Limits): (piece: Buffer) => PushCommands | undefined {
  const reader = new PushCommandReader();
  let length = 0;
  const read = (bytes: Uint8Array): PushCommands | undefined => {
    length += bytes.length;
    const commands = reader.push(bytes);
    if (commands === undefined && length > limits.pushCommandsBytesMax) throw tooLong(limits);
    return commands;
  };
  // What says that it is something else could be rewritten on its way, by a credential with a placeholder.
  if (headers.all('content-type').join() !== 'application/x-git-receive-pack-request')
    throw broken('its Content-Type is not application/x-git-receive-pack-request');
  // git knows these two names, in lower case; another server may know more, and read another list.
  const codings = headers.all('content-encoding');
  if (codings.length === 0) return read;
  if (codings.length > 1 || (codings[0] !== 'gzip' && codings[0] !== 'x-gzip'))
    throw broken('its Content-Encoding is not gzip');
  return gunzipReader(read, limits);
}

/** Decodes from the beginning again and again, in small steps, so that no step can grow far beyond the limit. */
function gunzipReader(
  read: (bytes: Uint8Array) => PushCommands | undefined,
  limits: Limits,
): (piece: Buffer) => PushCommands | undefined {
  let given = Buffer.alloc(0);
  let pieces = 0;
  let tried = 0;
  let decoded = 0;
  return (piece) => {
    given = Buffer.concat([given, piece]);
    if (++pieces > defaultLimits.pushPiecesMax)
      throw broken('its commands come compressed and in too many pieces');
    while (tried < given.length) {
      tried = Math.min(tried + gzipStepBytes, given.length);
      if (tried > limits.pushCommandsBytesMax) throw tooLong(limits);
      const bytes = gunzipStart(given.subarray(0, tried), limits);
      const added = bytes.subarray(decoded);
      decoded = bytes.length;
      const commands = read(added);
      if (commands !== undefined) return commands;
    }
    return undefined;
  };
}

function gunzipStart(bytes: Buffer, limits: Limits): Buffer {
  const maxOutputLength = limits.pushCommandsBytesMax + gzipStepBytes * deflateRatioMax;
  try {
    return gunzipSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength });
  } catch (error) {
    throw broken('it is not compressed as it says', error);
  }
}

/** Waits until there is something to read, or the end. @throws ProxyError timeout, cancelled */
async function readable(body: Readable, deadlineMs: number): Promise<void> {
  if (body.readableLength > 0 || body.readableEnded) return;
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  const onReady = (): void => {
    resolve(undefined);
  };
  const onFault = (error?: unknown): void => {
    reject(bodyFault(error));
  };
  const timer = setTimeout(
    () => {
      const message = 'the commands of the push did not arrive in time (pushCommandsTimeoutMs)';
      reject(new ProxyError('timeout', message, { limit: 'pushCommandsTimeoutMs' }));
    },
    Math.max(0, deadlineMs - Date.now()),
  );
  body.once('readable', onReady).once('end', onReady).once('error', onFault).once('close', onFault);
  if (body.destroyed) onFault(body.errored);
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    body.off('readable', onReady).off('end', onReady).off('error', onFault).off('close', onFault);
  }
}

function broken(reason: string, cause?: unknown): ProxyError {
  return new ProxyError('request_malformed', `The push cannot be judged: ${reason}.`, { cause });
}

function tooLong({ pushCommandsBytesMax }: Limits): ProxyError {
  return new ProxyError(
    'body_too_large',
    `the commands of the push are longer than ${String(pushCommandsBytesMax)} bytes; push fewer refs at once`,
    { limit: 'pushCommandsBytesMax' },
  );
}
