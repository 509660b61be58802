// What the peer's frames about streams do to them, but for data.

import type { ParsedFrame } from './frame-codec.ts';
import type { StreamRecord, StreamTable } from './stream-table.ts';
import type { EventQueue } from './tunnel-event.ts';
import { addCredit, unexpected } from './tunnel-fault.ts';
import type { TunnelRole } from './tunnel-options.ts';

/** Each throws frame_unexpected for what is not allowed in the state of the stream. */
export class StreamFrames {
  readonly #role: TunnelRole;
  readonly #streams: StreamTable;
  readonly #events: EventQueue;
  readonly #takesDatagrams: boolean;

  constructor(role: TunnelRole, streams: StreamTable, events: EventQueue, takesDatagrams = false) {
    this.#role = role;
    this.#streams = streams;
    this.#events = events;
    this.#takesDatagrams = takesDatagrams;
  }

  response(frame: Extract<ParsedFrame, { type: 'accept' | 'refuse' }>): void {
    const { type, streamId } = frame;
    if (this.#role !== 'agent') throw unexpected(`${type} from the agent`);
    const stream = this.#streams.find(streamId, type);
    if (stream === undefined) return;
    if (stream.accepted) throw unexpected(`${type} on stream ${streamId}, which is accepted already`);
    if (frame.type === 'accept') return this.implyAccept(stream);
    this.#streams.forget(stream);
    this.#events.push({ type: 'refused', streamId, code: frame.code, message: frame.message });
  }

  /** Credit for a stream. */
  window(streamId: number, bytes: number): void {
    const stream = this.#streams.find(streamId, 'window');
    if (stream === undefined) return;
    stream.sendCredit = addCredit(stream.sendCredit, bytes, `stream ${streamId}`);
    if (stream.awaitsCredit && !stream.localEnded) this.#events.push({ type: 'writable', streamId });
    stream.awaitsCredit = false;
  }

  end(streamId: number): void {
    const stream = this.#streams.find(streamId, 'end');
    if (stream === undefined) return;
    if (stream.remoteEnded) throw unexpected(`a second end on stream ${streamId}`);
    this.implyAccept(stream);
    stream.remoteEnded = true;
    stream.receive.close();
    this.#events.push({ type: 'end', streamId });
    if (stream.localEnded) this.#streams.retire(stream);
  }

  reset(frame: Extract<ParsedFrame, { type: 'reset' }>): void {
    const { streamId, code, message } = frame;
    const stream = this.#streams.find(streamId, 'reset');
    if (stream === undefined) return;
    // After an end the received bytes are complete and may still be drained; before it they are worth nothing.
    if (stream.remoteEnded) this.#streams.retire(stream);
    else this.#streams.forget(stream);
    this.#events.push({ type: 'reset', streamId, code, message });
  }

  /** It may come before the `open` or the `accept` that it was sent behind, and after an end: then it is dropped. */
  datagram({ streamId, data }: Extract<ParsedFrame, { type: 'datagram' }>): void {
    if (!this.#takesDatagrams) throw unexpected('datagram, which was not agreed');
    if (this.#streams.get(streamId) !== undefined) this.#events.push({ type: 'datagram', streamId, data });
  }

  goaway(frame: Extract<ParsedFrame, { type: 'goaway' }>): void {
    const { lastStreamId, code, message } = frame;
    this.#events.push({ type: 'goaway', lastStreamId, code, message });
    if (this.#role !== 'agent') return;
    for (const stream of this.#streams.live) {
      if (stream.id <= lastStreamId) continue;
      this.#streams.forget(stream);
      this.#events.push({ type: stream.accepted ? 'reset' : 'refused', streamId: stream.id, code, message });
    }
  }

  /** Data or an end from the gateway says, like `accept`, that it took the stream. */
  implyAccept(stream: StreamRecord): void {
    if (this.#role !== 'agent' || stream.accepted) return;
    stream.accepted = true;
    this.#events.push({ type: 'accepted', streamId: stream.id });
  }
}
