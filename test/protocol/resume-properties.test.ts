import assert from 'node:assert/strict';
import { createHash, randomInt } from 'node:crypto';
import { describe, test } from 'node:test';
import { defaultLimits, type Limits } from '../../src/protocol/limits.ts';
import { TunnelConnection } from '../../src/protocol/tunnel-connection.ts';
import type { TunnelRole } from '../../src/protocol/tunnel-options.ts';
import { someFields } from './conversation.ts';

/** A sequence that the seed alone decides (mulberry32). */
function sequence(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b_79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** What one end said and heard on a stream. */
interface Side {
  readonly sent: Buffer[];
  readonly received: Buffer[];
  saidEnd: boolean;
  heardEnd: boolean;
}

/** One end with its user: who sends pieces on its streams as credit allows, and takes what comes at once. */
class End {
  readonly connection: TunnelConnection;
  readonly sides = new Map<number, Side>();
  /** Octets that are on the link to the other end, message by message. */
  wire: Uint8Array[] = [];
  readonly failures: string[] = [];

  constructor(role: TunnelRole, limits: Limits) {
    this.connection = new TunnelConnection({ role, limits, nowMs: 0, isResumable: true });
  }

  side(id: number): Side {
    const found = this.sides.get(id);
    if (found !== undefined) return found;
    const made = { sent: [], received: [], saidEnd: false, heardEnd: false };
    this.sides.set(id, made);
    return made;
  }

  send(id: number, data: Buffer): void {
    const taken = this.connection.sendData(id, data);
    if (taken > 0) this.side(id).sent.push(Buffer.from(data.subarray(0, taken)));
  }

  end(id: number): void {
    const side = this.side(id);
    if (side.saidEnd) return;
    side.saidEnd = true;
    this.connection.end(id);
  }

  write(): void {
    const { output } = this.connection;
    for (let block = output.take(); block !== undefined; block = output.take()) {
      this.wire.push(block.bytes.slice(block.start, block.end));
      // As a writer does: the room in front of a block is its own.
      block.bytes.fill(0xee, Math.max(0, block.start - 16), block.start);
      output.giveBack(block);
    }
  }

  hear(bytes: Uint8Array, isWhole: boolean, nowMs: number): void {
    // Memory that is read into again, as that of a socket.
    const chunk = new Uint8Array(bytes);
    this.connection.receive(chunk, nowMs);
    if (isWhole) this.connection.endOfMessage();
    for (let event = this.connection.nextEvent(); event !== undefined; event = this.connection.nextEvent()) {
      if (event.type === 'data') {
        this.side(event.streamId).received.push(Buffer.from(event.data));
        this.connection.consumed(event.streamId, event.data.length, nowMs);
      } else if (event.type === 'end') this.side(event.streamId).heardEnd = true;
      else if (event.type === 'open') this.side(event.streamId);
      else if (event.type === 'failed') this.failures.push(event.error.message);
    }
    chunk.fill(0xdd);
  }
}

class Pair {
  readonly agent: End;
  readonly gateway: End;
  nowMs = 0;

  constructor(changes: Partial<Limits> = {}) {
    const limits = { ...defaultLimits, ...changes };
    this.agent = new End('agent', limits);
    this.gateway = new End('gateway', limits);
  }

  get ends(): readonly [End, End] {
    return [this.agent, this.gateway];
  }

  /** So many octets of what is on the link arrive at the other end. */
  deliver(from: End, octets: number): void {
    const to = from === this.agent ? this.gateway : this.agent;
    let left = octets;
    for (let message = from.wire[0]; message !== undefined && left > 0; message = from.wire[0]) {
      const part = message.subarray(0, left);
      left -= part.length;
      const isWhole = part.length === message.length;
      if (isWhole) from.wire.shift();
      else from.wire[0] = message.subarray(part.length);
      to.hear(part, isWhole, this.nowMs);
    }
  }

  /** The link is lost with all that is on it, and another one takes its place. */
  cut(): void {
    for (const end of this.ends) {
      end.wire = [];
      end.connection.detach();
    }
    // In this order: the holder says its count when it has the agent's.
    const { receivedBytes } = this.agent.connection;
    this.gateway.connection.attach(receivedBytes, this.nowMs);
    this.agent.connection.attach(this.gateway.connection.receivedBytes, this.nowMs);
  }

  /** Until nobody has anything to say, acknowledgements included. */
  settle(): void {
    for (let turns = 0; turns < 10_000; turns++) {
      this.nowMs += 30;
      for (const { connection } of this.ends) connection.handleTimeout(this.nowMs);
      for (const end of this.ends) end.write();
      if (this.ends.every(({ wire }) => wire.length === 0)) return;
      for (const end of this.ends) this.deliver(end, Infinity);
    }
    assert.fail('the two ends never stop talking');
  }

  /** Every octet once and in order, and every end. */
  check(): void {
    for (const [near, far] of [this.ends, this.ends.toReversed()] as readonly (readonly [End, End])[]) {
      assert.deepEqual(near.failures, []);
      for (const [id, { sent, saidEnd }] of near.sides) {
        const there = far.sides.get(id);
        assert.ok(there !== undefined, `stream ${id} is not known at the other end`);
        assert.equal(digest(there.received), digest(sent), `stream ${id}`);
        assert.equal(there.heardEnd, saidEnd, `the end of stream ${id}`);
      }
    }
  }
}

function digest(parts: readonly Buffer[]): string {
  const whole = Buffer.concat(parts);
  return `${whole.length} ${createHash('sha256').update(whole).digest('hex')}`;
}

/** A short conversation with every kind of frame, written step by step; `after` comes behind each step. */
function talk(pair: Pair, after: (step: number) => void): void {
  const { agent, gateway } = pair;
  const steps: readonly (() => void)[] = [
    () => agent.connection.openStream(someFields),
    () => agent.send(1, Buffer.from('request')),
    () => agent.connection.ping(pair.nowMs),
    () => agent.end(1),
    () => gateway.connection.streamState(1) !== undefined && gateway.connection.accept(1),
    () => gateway.send(1, Buffer.from('the response')),
    () => agent.connection.openStream(someFields),
    () => gateway.end(1),
    () => gateway.connection.goaway(5, 'drains'),
    () => gateway.send(2, Buffer.from('of the other')),
    () => agent.send(2, Buffer.from('and back')),
    () => gateway.connection.ping(pair.nowMs),
    () => gateway.end(2),
    () => agent.end(2),
  ];
  for (const [step, run] of steps.entries()) {
    run();
    pair.nowMs += 26;
    for (const { connection } of pair.ends) connection.handleTimeout(pair.nowMs);
    for (const end of pair.ends) end.write();
    after(step);
  }
}

describe('a tunnel that outlives its link', () => {
  test('gives the same streams wherever the link is cut, at each octet of each step', () => {
    let cuts = 0;
    for (let step = 0; step < 14; step++) {
      for (const side of [0, 1] as const) {
        for (let octets = 0, most = Infinity; octets <= most; octets++) {
          const pair = new Pair();
          talk(pair, (at) => {
            if (at !== step) return pair.ends.forEach((end) => pair.deliver(end, Infinity));
            const end = pair.ends[side];
            most = end.wire.reduce((sum, { length }) => sum + length, 0);
            pair.deliver(end, octets);
            pair.cut();
            for (const each of pair.ends) each.write();
            for (const each of pair.ends) pair.deliver(each, Infinity);
          });
          pair.settle();
          pair.check();
          cuts += 1;
        }
      }
    }
    assert.ok(cuts > 200, `${cuts} cuts`);
  });

  test('gives the same streams when a replay is cut, too, at each octet', () => {
    for (let first = 0; first < 45; first++) {
      for (let second = 0; second < 45; second++) {
        const pair = new Pair();
        talk(pair, (step) => {
          if (step === 5 || step === 9) {
            pair.deliver(pair.agent, first);
            pair.deliver(pair.gateway, first);
            pair.cut();
            for (const end of pair.ends) end.write();
            pair.deliver(pair.agent, second);
            pair.deliver(pair.gateway, second);
            pair.cut();
            for (const end of pair.ends) end.write();
          }
          for (const end of pair.ends) pair.deliver(end, Infinity);
        });
        pair.settle();
        pair.check();
      }
    }
  });

  test('gives the same streams in any order of sending, delivery and cuts, however little may be kept', () => {
    const seed = Number(process.env['RESUME_SEED'] ?? randomInt(2 ** 31));
    for (let round = 0; round < 100; round++) {
      const random = sequence(seed + round);
      const resumeBytesMax = [600, 5000, 300_000, defaultLimits.resumeBytesMax][round % 4]!;
      const pair = new Pair({ resumeBytesMax });
      try {
        play(pair, random);
      } catch (error) {
        throw new Error(`RESUME_SEED=${seed + round}, resumeBytesMax ${resumeBytesMax}`, { cause: error });
      }
    }
  });
});

/** Random steps of both users, of the link, and of time. */
function play(pair: Pair, random: (below: number) => number): void {
  for (let step = 0; step < 250; step++) {
    const end = pair.ends[random(2)]!;
    const ids = [...end.sides.keys()].filter((id) => !end.side(id).saidEnd);
    const id = ids[random(Math.max(1, ids.length))];
    const size = [1, 50, 3000, 70_000][random(4)]!;
    switch (random(9)) {
      case 0:
        if (pair.agent.sides.size < 6) pair.agent.side(pair.agent.connection.openStream(someFields));
        break;
      case 1:
      case 2:
      case 3:
        if (id !== undefined) end.send(id, Buffer.alloc(size, random(256)));
        break;
      case 4:
        if (id !== undefined && random(6) === 0) end.end(id);
        break;
      case 5:
      case 6:
        end.write();
        pair.deliver(end, random(2) === 0 ? Infinity : random(4000));
        break;
      case 7:
        pair.nowMs += random(40);
        for (const { connection } of pair.ends) connection.handleTimeout(pair.nowMs);
        break;
      default:
        if (random(3) === 0) pair.cut();
    }
  }
  pair.settle();
  for (const end of pair.ends) for (const id of end.sides.keys()) end.end(id);
  pair.settle();
  pair.check();
}
