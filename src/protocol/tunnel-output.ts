// What one end of a tunnel has to write: frames of the tunnel in their order, which outlive a link where that was agreed, and between
// them those of the link that is there.

import { ProxyError } from './error.ts';
import { encodeFrame, isOfLink } from './frame-codec.ts';
import type { Frame } from './frame.ts';
import type { SpareOctets } from './held-octets.ts';
import type { Limits } from './limits.ts';
import { type OutputBlock, OutputQueue } from './output-queue.ts';
import { sentBytesMax } from './sent-frames.ts';
import { SentOctets } from './sent-octets.ts';
import type { SpareBlocks } from './spare-blocks.ts';

interface Resumable {
  /** Frames of the link that is there. */
  readonly link: OutputQueue;
  readonly sent: SentOctets;
}

export interface TunnelOutputOptions {
  readonly isResumable: boolean;
  /** From which more than a reserve is kept, where links may be replaced. */
  readonly spare?: SpareOctets | undefined;
  /** Written blocks, of others too. */
  readonly blocks?: SpareBlocks | undefined;
}

export class TunnelOutput {
  readonly #limits: Limits;
  readonly #queue: OutputQueue;
  readonly #resumable: Resumable | undefined;
  /** Of the frames of the link; and blocks that are kept until they are acknowledged. */
  readonly #ofLink = new Set<OutputBlock>();
  readonly #kept = new Set<OutputBlock>();
  /** Those of them that are being written: a peer may say that it has what has not left yet, and then they must not change. */
  readonly #writing = new Set<OutputBlock>();
  #hasLink = true;
  #isPressing = false;

  constructor(limits: Limits, { isResumable, spare, blocks }: TunnelOutputOptions) {
    this.#limits = limits;
    this.#queue = new OutputQueue(limits, blocks);
    if (!isResumable) return;
    const sent = new SentOctets(limits.resumeBytesMax, spare, (block) => {
      this.#kept.delete(block);
      if (!this.#writing.has(block)) this.#queue.giveBack(block);
    });
    this.#resumable = { link: new OutputQueue(limits), sent };
  }

  /** Octets that wait. */
  get bytes(): number {
    return this.#queue.bytes + this.#againBytes;
  }

  /** Something waits that the peer waits for. */
  get isPressing(): boolean {
    return this.#isPressing || this.#againBytes > 0;
  }

  /** Memory that is kept until the peer has acknowledged what is in it. */
  get keptBytes(): number {
    return this.#resumable?.sent.cost ?? 0;
  }

  /** Octets of data that may be queued before the peer has acknowledged more. */
  get room(): number {
    return this.#resumable?.sent.room(this.#queue.bytes) ?? Infinity;
  }

  /** Nothing waits, and all that was sent arrived as far as is known. */
  get isDelivered(): boolean {
    return this.#queue.bytes === 0 && (this.#resumable?.sent.isEmpty ?? true);
  }

  /**
   * `isUnhurried`: the peer does not wait for it. Throws limit_exceeded when the peer provokes more control frames than it reads or
   * acknowledges.
   */
  pushControl(frame: Exclude<Frame, { readonly type: 'data' }>, isUnhurried = false): void {
    if (!isUnhurried) this.#isPressing = true;
    const resumable = this.#resumable;
    if (resumable === undefined) return this.#queue.pushControl(frame);
    if (isOfLink(frame.type)) {
      // Without a link there is nobody whom they concern.
      if (this.#hasLink) resumable.link.pushControl(frame);
      return;
    }
    this.#queue.pushControl(frame);
    const { resumeBytesMax, controlQueueBytesMax } = this.#limits;
    if (resumable.sent.cost <= resumeBytesMax + controlQueueBytesMax) return;
    const message = `the peer does not acknowledge what it is sent (resumeBytesMax, ${resumeBytesMax} bytes)`;
    throw new ProxyError('limit_exceeded', message, { limit: 'resumeBytesMax' });
  }

  /** Of a stream that is open. Where nobody is there, or too much waits, it is dropped: whether it was taken. */
  pushDatagram(streamId: number, data: Uint8Array): boolean {
    const queue = this.#resumable?.link ?? this.#queue;
    const isTooLong = data.length > sentBytesMax(this.#limits, 'controlFrameBytesMax');
    if (!this.#hasLink || isTooLong || queue.bytes > this.#limits.datagramQueueBytesMax) return false;
    this.#isPressing = true;
    queue.pushEncodedControl(encodeFrame({ type: 'datagram', streamId, data }));
    return true;
  }

  pushEncodedControl(encoded: Uint8Array): void {
    this.#isPressing = true;
    this.#queue.pushEncodedControl(encoded);
  }

  pushData(streamId: number, data: Uint8Array, frameBytesMax: number): void {
    this.#isPressing = true;
    this.#queue.pushData(streamId, data, frameBytesMax);
  }

  /** Takes a block of whole frames, or the rest of one that is written again; undefined too while there is no link. */
  take(): OutputBlock | undefined {
    const block = this.#take();
    if (this.#queue.bytes === 0) this.#isPressing = false;
    return block;
  }

  #take(): OutputBlock | undefined {
    const resumable = this.#resumable;
    if (resumable === undefined) return this.#queue.take();
    if (!this.#hasLink) return undefined;
    const { link, sent } = resumable;
    if (link.bytes > 0 && !sent.isInsideFrame) {
      const block = link.take();
      if (block !== undefined) this.#ofLink.add(block);
      return block;
    }
    const again = sent.takeAgain();
    if (again !== undefined) return again;
    const block = this.#queue.take();
    if (block !== undefined && sent.keep(block)) {
      this.#kept.add(block);
      this.#writing.add(block);
    }
    return block;
  }

  /** The block was written. */
  giveBack(block: OutputBlock): void {
    this.#writing.delete(block);
    if (this.#kept.has(block)) return;
    if (this.#ofLink.delete(block)) this.#resumable?.link.giveBack(block);
    else this.#queue.giveBack(block);
  }

  dropSpares(): void {
    this.#queue.dropSpares();
    this.#resumable?.link.dropSpares();
  }

  /** The peer has so many octets; false if it cannot have. */
  acknowledge(count: number): boolean {
    return this.#resumable?.sent.acknowledge(count) ?? false;
  }

  /** The link is gone, and what was for it alone. */
  detach(): void {
    this.#hasLink = false;
    const link = this.#resumable?.link;
    for (let block = link?.take(); block !== undefined; block = link?.take()) link?.giveBack(block);
    link?.forgetTaken();
    this.#queue.forgetTaken();
    this.#ofLink.clear();
    this.#writing.clear();
  }

  /** There is another link, on which the peer's count is the place to go on from. */
  attach(count: number): boolean {
    this.#hasLink = true;
    const isPossible = this.acknowledge(count);
    this.#resumable?.sent.rewind();
    return isPossible;
  }

  /** Nothing is sent again any more. */
  forget(): void {
    this.#resumable?.sent.clear();
    this.#kept.clear();
  }

  get #againBytes(): number {
    if (this.#resumable === undefined || !this.#hasLink) return 0;
    return this.#resumable.sent.againBytes + this.#resumable.link.bytes;
  }
}
