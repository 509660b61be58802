// How a stream of HTTP/2 ended: node:http2 says `end` as well of one that was reset without an error (RFC 9113 §8.1).

import type { Http2Stream } from 'node:http2';

/** Gives whether the peer has ended the stream by END_STREAM. To be called before anything was read of the stream. */
export function watchEnd(stream: Http2Stream): () => boolean {
  // A server is told of a stream when all of one read was parsed, which may have held the end.
  let isEnded = !stream.closed && stream.state.remoteClose === 1;
  const push = stream.push.bind(stream);
  // The end that a frame says is pushed while the stream is open, the one that a reset implies when it is closed.
  stream.push = (chunk: unknown, encoding?: BufferEncoding): boolean => {
    if (chunk === null) isEnded ||= !stream.closed;
    return push(chunk, encoding);
  };
  return () => isEnded;
}
