// Fuzz target: what a client of MySQL says to the greeting, and its packets in a session, as latin1 text. However they arrive, they read
// the same, what goes on is what came but for what a stand-in takes the place of, and no refused command is in it. Options as in run-target.ts.

import assert from 'node:assert/strict';

import { agreed, capability, hasAll } from '../src/gateway/databases/mysql/capabilities.ts';
import { ClientPackets } from '../src/gateway/databases/mysql/client-packets.ts';
import { CommandRule } from '../src/gateway/databases/mysql/command-rule.ts';
import { passingCommand } from '../src/gateway/databases/mysql/commands.ts';
import { readGreeting } from '../src/gateway/databases/mysql/greeting.ts';
import { readHandshakeResponse } from '../src/gateway/databases/mysql/handshake-response.ts';
import { errorPacket, packetHeadBytes, packetOf, readHead } from '../src/gateway/databases/mysql/packet.ts';
import { ServerPackets } from '../src/gateway/databases/mysql/server-packets.ts';
import { StandIns } from '../src/gateway/databases/mysql/stand-in.ts';
import { pick, pieces, type Random, runTarget } from './run-target.ts';

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');
const text = (packet: Uint8Array): string => Buffer.from(packet).toString('latin1');
const standIns = new StandIns(Uint8Array.of(1, 2, 3, 4), 'db');
const packets = [
  packetOf(0, '\u0003SELECT 1'),
  packetOf(0, `\u0003SELECT '${'x'.repeat(300)}'`),
  packetOf(0, '\u0003KILL QUERY 7'),
  packetOf(0, '\u0003KILL 8;'),
  packetOf(0, '\u0002orders'),
  packetOf(0, '\u0002other'),
  packetOf(0, '\u0011root'),
  packetOf(0, '\u0012'),
  packetOf(0, '\u0016SELECT ?'),
  packetOf(0, '\u0001'),
  packetOf(1, 'more'),
  packetOf(0),
  standIns.packet({ kind: 'malformed' }, 1),
  ...[10_513, 10_530, 10_772, 9].map((code) => errorPacket(1, { code, sqlState: 'U3402', message: '' })),
].map(text);
const words = [
  'me\0',
  '\0',
  'orders\0',
  'mysql_native_password\0',
  '\u0014',
  'aaaaaaaaaaaaaaaaaaaa',
  '\u00fc',
];

/** A response to the greeting, a greeting, or packets; now and then an octet is another one. */
function generate(random: Random): string {
  const kind = pick(random, ['r', 'g', 'p', 'p']);
  let made = '';
  if (kind === 'p') made = Array.from({ length: random(8) }, () => pick(random, packets)).join('');
  else {
    const head = Buffer.alloc(kind === 'r' ? 32 : 1);
    if (kind === 'r') head.writeUInt32LE((random(2 ** 16) * 2 ** 16 + random(2 ** 16)) >>> 0, 0);
    else head[0] = 10;
    made = text(head) + pieces(random, words, 10);
  }
  for (let edits = random(3); edits > 0 && made.length > 0; edits--) {
    const at = random(made.length);
    made = made.slice(0, at) + String.fromCharCode(random(256)) + made.slice(at + random(2));
  }
  return kind + made;
}

function checkResponse(bytes: Buffer): boolean {
  const read = readHandshakeResponse(bytes);
  if (read.kind !== 'response') return read.kind === 'tls-request';
  assert.ok(read.user.length + read.proof.length <= bytes.length);
  const both = agreed(read.capabilities, { basic: 0xffff_fffe, mariadb: 0xffff_ffff });
  for (const bit of [5, 7, 20, 26, 27]) assert.ok(!hasAll(both.basic, 2 ** bit), String(bit));
  assert.ok(hasAll(read.capabilities.basic, capability.protocol41));
  return true;
}

interface Passed {
  readonly text: string;
  readonly broken: string | undefined;
}

function passed(pushes: readonly Buffer[]): Passed {
  const thread = { id: 7, serverId: 70, address: 'a' };
  const judge = new CommandRule({
    end: { databases: ['orders'] },
    standIns,
    address: 'a',
    findThread: (id) => (id === 7 ? thread : undefined),
    watcher: { passed: () => undefined, refused: () => undefined },
  });
  const reader = new ClientPackets(judge);
  let all = '';
  let broken: string | undefined;
  for (const push of pushes) {
    const taken = reader.take(push);
    all += taken.pieces.map(text).join('');
    broken ??= taken.broken;
  }
  return { text: all, broken };
}

function checkPackets(bytes: Buffer): boolean {
  const octets = [...bytes].map((octet) => Buffer.of(octet));
  const whole = passed([bytes]);
  const split = passed(octets);
  assert.deepEqual(split, whole, 'the way it arrives changes the result');
  checkPassed(latin1(whole.text));
  const said = (pushes: readonly Buffer[]): string => {
    const reader = new ServerPackets((payload) => standIns.response(payload));
    const all = pushes.flatMap((push) => reader.take(push).map(text)).join('');
    return all + text(reader.end());
  };
  assert.equal(said(octets), said([bytes]));
  // No error with a state of another gateway, or of a server, is taken for ours.
  if (!bytes.includes('#U34')) assert.equal(said([bytes]), text(bytes));
  return whole.broken === undefined;
}

/** As a server reads it: each command is one that may go on, whole but for the last. */
function checkPassed(bytes: Buffer): void {
  for (let at = 0; at + packetHeadBytes < bytes.length;) {
    const { length, sequence } = readHead(bytes, at);
    const payload = bytes.subarray(at + packetHeadBytes, at + packetHeadBytes + length);
    assert.equal(sequence, 0);
    assert.ok(passingCommand(payload[0] ?? -1) !== undefined, 'a refused command went on');
    const isKill = payload[0] === 3 && /^\s*kill (?!QUERY 70$|70$)/i.test(text(payload.subarray(1)));
    assert.ok(!isKill, 'a number of nobody went on');
    if (payload[0] === 2)
      assert.match('orders\0', new RegExp(`^${RegExp.escape(text(payload.subarray(1)))}`));
    at += packetHeadBytes + length;
  }
}

await runTarget({
  name: 'mysql-session',
  generate,
  check(input) {
    const bytes = latin1(input.slice(1));
    if (input.startsWith('r')) return checkResponse(bytes);
    return input.startsWith('g') ? readGreeting(bytes) !== undefined : checkPackets(bytes);
  },
});
