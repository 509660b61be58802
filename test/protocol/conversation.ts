// Two ends of a tunnel that talk in memory, on a clock of the test.

import assert from 'node:assert/strict';
import type { Frame } from '../../src/protocol/frame.ts';
import { encodeFrame, FrameParser } from '../../src/protocol/frame-codec.ts';
import type { ParsedFrame } from '../../src/protocol/frame-codec.ts';
import type { CountedOctets } from '../../src/protocol/held-octets.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import type { Limits } from '../../src/protocol/limits.ts';
import { TunnelConnection } from '../../src/protocol/tunnel-connection.ts';
import type { TunnelRole } from '../../src/protocol/tunnel-options.ts';
import type { TunnelEvent } from '../../src/protocol/tunnel-event.ts';

export const someFields = { authority: 'example.com:443', mode: 'raw' } as const;

export function join(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

export function drainEvents(connection: TunnelConnection): TunnelEvent[] {
  const events: TunnelEvent[] = [];
  for (let event = connection.nextEvent(); event !== undefined; event = connection.nextEvent())
    events.push(event);
  return events;
}

/** Events with their views copied and neighbouring data of one stream joined: what no split may change. */
export function coalesce(events: readonly TunnelEvent[]): unknown[] {
  const result: unknown[] = [];
  let data: { type: 'data'; streamId: number; hex: string } | undefined;
  for (const event of events) {
    if (event.type !== 'data') {
      data = undefined;
      result.push(event.type === 'failed' ? { type: 'failed', code: event.error.code } : event);
    } else if (data?.streamId === event.streamId) {
      data.hex += Buffer.from(event.data).toString('hex');
    } else {
      data = { type: 'data', streamId: event.streamId, hex: Buffer.from(event.data).toString('hex') };
      result.push(data);
    }
  }
  return result;
}

/** The frames in a list of buffers, data copied. */
export function parseFrames(parts: readonly Uint8Array[], limits: Limits = defaultLimits): ParsedFrame[] {
  const parser = new FrameParser(limits);
  for (const part of parts) parser.push(part);
  const frames: ParsedFrame[] = [];
  for (let frame = parser.next(); frame !== undefined; frame = parser.next()) frames.push(frame);
  parser.endOfMessage();
  return frames;
}

/** All that it wants to write, block by block. */
export function outputOf(connection: TunnelConnection): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let block = connection.output.take(); block !== undefined; block = connection.output.take())
    parts.push(block.bytes.slice(block.start, block.end));
  return parts;
}

/** A connection without a peer, to which the test speaks in frames. */
export function alone(role: TunnelRole, changes: Partial<Limits> = {}) {
  const connection = new TunnelConnection({ role, limits: { ...defaultLimits, ...changes }, nowMs: 0 });
  return {
    connection,
    /** Gives frames and returns the events. */
    hear(frames: readonly Frame[], nowMs = 0): TunnelEvent[] {
      connection.receive(join(frames.map((frame) => encodeFrame(frame))), nowMs);
      connection.endOfMessage();
      return drainEvents(connection);
    },
    /** The frames that it wants to write. */
    said(): ParsedFrame[] {
      return parseFrames(outputOf(connection));
    },
  };
}

/** Both ends; `speak` carries all bytes one way and returns the events at the other end. */
export class Conversation {
  readonly agent: TunnelConnection;
  readonly gateway: TunnelConnection;
  nowMs = 0;

  /** @param unread of the gateway */
  constructor(changes: Partial<Limits> = {}, unread?: CountedOctets) {
    const limits = { ...defaultLimits, ...changes };
    this.agent = new TunnelConnection({ role: 'agent', limits, nowMs: 0 });
    this.gateway = new TunnelConnection({ role: 'gateway', limits, nowMs: 0, unread });
  }

  /** The agent's bytes reach the gateway. */
  toGateway(): TunnelEvent[] {
    return this.#carry(this.agent, this.gateway);
  }

  toAgent(): TunnelEvent[] {
    return this.#carry(this.gateway, this.agent);
  }

  /** Carries bytes both ways until nobody has anything to say; events by end. */
  settle(): { readonly agent: TunnelEvent[]; readonly gateway: TunnelEvent[] } {
    const events = { agent: [] as TunnelEvent[], gateway: [] as TunnelEvent[] };
    for (let turns = 0; this.agent.outputBytes + this.gateway.outputBytes > 0; turns++) {
      assert.ok(turns < 1000, 'the two ends never stop talking');
      events.gateway.push(...this.toGateway());
      events.agent.push(...this.toAgent());
    }
    return events;
  }

  /** An open and accepted stream. */
  openStream(): number {
    const id = this.agent.openStream(someFields);
    this.toGateway();
    this.gateway.accept(id);
    this.settle();
    return id;
  }

  #carry(from: TunnelConnection, to: TunnelConnection): TunnelEvent[] {
    for (const part of outputOf(from)) to.receive(part, this.nowMs);
    to.endOfMessage();
    return drainEvents(to);
  }
}
