// What a client sends on a WebSocket, message by message: each is held until it is whole and judged. One that goes on does so in the frames in which it came;
// of another one nothing leaves.

import { Buffer } from 'node:buffer';
import { Transform, type TransformCallback } from 'node:stream';
import { type MaskedFrameHead, MaskedFrameHeads } from '../../net/masked-frame-heads.ts';
import { applyMask, opcode } from '../../net/websocket-frame.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { GatheredOctets } from '../../protocol/gathered-octets.ts';
import type { HeldOctets, Reservation } from '../../protocol/held-octets.ts';

export interface OperationGuardOptions {
  /** Whether the message goes on. @throws ProxyError for one after which the socket cannot go on */
  readonly judge: (text: Uint8Array) => Promise<boolean>;
  /** Nothing more leaves. */
  readonly onEnd: (fault: ProxyError) => void;
  readonly messageBytesMax: number;
  readonly held: HeldOctets;
  readonly sessionId: string;
}

/** Room is taken in steps, and given back when a message is over. */
const roomStep = 65_536;

/** Takes whole frames in any split: what is none was kept out before. */
export class OperationGuard extends Transform {
  readonly #options: OperationGuardOptions;
  readonly #heads = new MaskedFrameHeads();
  #payloadLeft = 0;
  #payloadBytes = 0;
  #isControl = false;
  #isFinal = true;
  #mask: Buffer = Buffer.alloc(4);
  /** Of the message that is under way: its frames as they came, and what they say. */
  readonly #frames = new GatheredOctets();
  readonly #text = new GatheredOctets();
  #control: Buffer[] = [];
  #room: Reservation[] = [];
  #fault: ProxyError | undefined;
  #isOver = false;

  constructor(options: OperationGuardOptions) {
    super();
    this.#options = options;
  }

  /** Nothing more leaves but a close. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** The socket is being closed: what is held or judged is dropped. */
  stop(): void {
    this.#isOver = true;
    this.#frames.take();
    this.#text.take();
    this.#release();
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    void this.#take(chunk).finally(() => done());
  }

  override _flush(done: TransformCallback): void {
    this.#release();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#isOver = true;
    this.#release();
    done(error);
  }

  async #take(chunk: Buffer): Promise<void> {
    for (let at = 0; at < chunk.length;) {
      try {
        at = this.#payloadLeft > 0 ? this.#takePayload(chunk, at) : this.#takeHeader(chunk, at);
        if (this.#fault !== undefined) throw this.#fault;
        if (this.#heads.isWithin || this.#payloadLeft > 0) continue;
        if (this.#isControl) this.#passControl();
        else if (this.#isFinal && !this.#isOver) await this.#endMessage();
      } catch (error) {
        this.#end(asProxyError(error));
      }
    }
  }

  #takeHeader(chunk: Buffer, at: number): number {
    const head = this.#heads.take(chunk[at] ?? 0);
    if (head === undefined) return at + 1;
    this.#payloadLeft = head.length;
    this.#payloadBytes = 0;
    this.#mask = head.mask;
    this.#isControl = head.isControl;
    // A control frame stands between the frames of a message, whose end it is not.
    if (head.isControl) this.#control = [head.octets];
    else this.#beginFrame(head);
    return at + 1;
  }

  #beginFrame(head: MaskedFrameHead): void {
    this.#isFinal = head.isFinal;
    const { messageBytesMax: max } = this.#options;
    if (head.opcode === opcode.binary)
      this.#fault = new ProxyError(
        'policy_denied',
        'a rule looks at what comes on this WebSocket, and a binary message cannot be read',
      );
    // Frames that say nothing are octets too.
    else if (this.#frames.length + head.octets.length + head.length > max)
      this.#fault = new ProxyError(
        'body_too_large',
        `a message that a rule looks into may have ${String(max)} octets with its frames (inspectBodyBytesMax)`,
        { limit: 'inspectBodyBytesMax' },
      );
    else this.#hold(head.octets);
  }

  #takePayload(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.#payloadLeft);
    const part = chunk.subarray(at, end);
    if (this.#isControl) this.#control.push(Buffer.from(part));
    else if (this.#hold(part)) {
      const text = Buffer.from(part);
      applyMask(text, this.#mask, this.#payloadBytes % 4);
      this.#text.push(text);
    }
    this.#payloadBytes += end - at;
    this.#payloadLeft -= end - at;
    return end;
  }

  /** Twice its octets: as they came, and what they say. False: there is no room, or nothing more leaves. */
  #hold(octets: Uint8Array): boolean {
    if (this.#isOver || this.#fault !== undefined) return false;
    const { held, sessionId } = this.#options;
    try {
      while (this.#room.length * roomStep < 2 * (this.#frames.length + octets.length))
        this.#room.push(held.reserve(sessionId, roomStep));
    } catch (error) {
      this.#fault = asProxyError(error);
      return false;
    }
    this.#frames.push(octets);
    return true;
  }

  #passControl(): void {
    const [first] = this.#control[0] ?? [];
    const isClose = ((first ?? 0) & 0x0f) === opcode.close;
    if (!this.#isOver || isClose) this.push(Buffer.concat(this.#control));
    this.#control = [];
  }

  async #endMessage(): Promise<void> {
    const [frames, text] = [this.#frames.take(), this.#text.take()];
    // As long as it is judged it is held, whatever becomes of the socket meanwhile.
    const room = this.#room;
    this.#room = [];
    try {
      const goesOn = await this.#options.judge(text);
      if (goesOn && !this.isOver) this.push(frames);
    } finally {
      for (const one of room) one.release();
    }
  }

  #release(): void {
    for (const one of this.#room) one.release();
    this.#room = [];
  }

  #end(fault: ProxyError): void {
    this.#fault = undefined;
    if (this.#isOver) return;
    this.stop();
    this.#options.onEnd(fault);
  }
}
