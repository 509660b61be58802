// What an operation tells that goes on, one after the other.

import { EventStream } from './event-stream.ts';

/** Until it ends. @throws as the stream does */
export async function* toldEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<unknown> {
  const reader = body
    .pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>)
    .getReader();
  const stream = new EventStream();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    for (const data of stream.push(value)) yield JSON.parse(data) as unknown;
  }
}
