// The response on a stream of HTTP/2 towards an origin.

import { constants } from 'node:http2';
import type { ClientHttp2Stream } from 'node:http2';
import { ProxyError } from '../../protocol/error.ts';
import type { ResponseReceiver } from './forwarder.ts';
import { watchEnd } from '../../net/http2-stream-end.ts';

/** What becomes of the stream; `host` is for messages. */
export interface StreamEnd {
  readonly resolve: () => void;
  readonly fail: (error: ProxyError) => void;
  readonly host: string;
  /** May take the stream for itself at the head; then the receiver hears nothing of it. */
  readonly takesOver?: (status: number, rawHeaders: readonly string[]) => boolean;
}

/** Hands interim heads, head, body and trailers to the receiver, and tells the end. Gives whether the origin has said all. */
export function receiveResponse(
  stream: ClientHttp2Stream,
  receiver: ResponseReceiver,
  end: StreamEnd,
): () => boolean {
  const { host } = end;
  const isEnded = watchEnd(stream);
  stream.on('headers', (headers, _flags, raw) => {
    guard(end, () => {
      receiver.onInformation(headers[':status'] ?? 0, plainFields(raw));
    });
  });
  stream.once('response', (headers, flags, raw) => {
    const status = headers[':status'] ?? 0;
    const fields = plainFields(raw);
    if (end.takesOver?.(status, fields) === true) return;
    guard(end, () => {
      receiver.onHead(status, fields, (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0);
    });
    receiveBody(stream, receiver, end);
  });
  stream.on('error', (error) => {
    end.fail(
      new ProxyError('origin_truncated', `${host} reset the stream before its response was complete`, {
        cause: error,
      }),
    );
  });
  stream.once('close', () => {
    // A reset without an error may follow a complete response, and is none.
    if (isEnded() && stream.readableEnded && stream.rstCode === constants.NGHTTP2_NO_ERROR) end.resolve();
    else
      end.fail(
        new ProxyError('origin_truncated', `${host} closed the stream before its response was complete`),
      );
  });
  return isEnded;
}

function receiveBody(stream: ClientHttp2Stream, receiver: ResponseReceiver, end: StreamEnd): void {
  stream.on('trailers', (_headers, _flags, raw) => {
    guard(end, () => {
      receiver.onTrailers(plainFields(raw));
    });
  });
  stream.on('data', (chunk: Buffer) => {
    guard(end, () => {
      if (!receiver.onData(chunk, () => stream.resume())) stream.pause();
    });
  });
}

function guard(end: StreamEnd, step: () => void): void {
  try {
    step();
  } catch (error) {
    end.fail(
      error instanceof ProxyError
        ? error
        : new ProxyError('internal', 'the response could not be passed on', { cause: error }),
    );
  }
}

/** The fields of a head or trailer without the pseudo-fields: name, value, name, value … */
function plainFields(raw: readonly string[] | undefined): string[] {
  const fields: string[] = [];
  if (raw === undefined) return fields;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? '';
    if (!name.startsWith(':')) fields.push(name, raw[i + 1] ?? '');
  }
  return fields;
}
