// Fuzz target: what a client of PostgreSQL begins with, and its messages where a rule reads statements, as latin1 text. However they
// arrive, they read the same, and what goes on is what came but for statements that are taken whole. Options as in run-target.ts.

import assert from 'node:assert/strict';

import { ClientMessages } from '../src/gateway/databases/postgres/client-messages.ts';
import { messageOf } from '../src/gateway/databases/postgres/message.ts';
import { readStartPacket, startPacketBytes } from '../src/gateway/databases/postgres/start-packet.ts';
import { serverStart } from '../src/gateway/databases/postgres/start-parameters.ts';
import {
  type ClientPiece,
  readStatement,
  StatementMessages,
} from '../src/gateway/databases/postgres/statement-messages.ts';
import { pick, pieces, type Random, runTarget } from './run-target.ts';

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');
const messages = [
  messageOf('Q', 'SELECT 1\0'),
  messageOf('Q', `SELECT '${'x'.repeat(300)}'\0`),
  messageOf('Q', 'no end'),
  messageOf('P', 'name\0SELECT $1\0', '\0\0'),
  messageOf('P', 'name'),
  messageOf('B', '\0\0\0\0\0\0\0\0'),
  messageOf('E', '\0\0\0\0\0'),
  messageOf('S'),
  messageOf('d', 'Q\0\0\0\x05x'),
  messageOf('c'),
  messageOf('F', '\0'),
  messageOf('X'),
].map((one) => Buffer.from(one).toString('latin1'));
const parameters = [
  'user\0',
  'me\0',
  'database\0',
  'options\0',
  '-c role=x\0',
  '-cjit=off\0',
  'replication\0',
  '\0',
];

/** A start packet, or messages; now and then an octet is another one. */
function generate(random: Random): string {
  const isStart = random(3) === 0;
  let text: string;
  if (isStart) {
    const body = pieces(random, parameters, 8);
    const head = Buffer.alloc(8);
    head.writeUInt32BE(random(4) === 0 ? random(12_000) : 8 + body.length);
    head.writeUInt32BE([0x0003_0000, 0x0003_0002, 80_877_102, 80_877_103, 80_877_104][random(5)] ?? 0, 4);
    text = head.toString('latin1') + body;
  } else text = Array.from({ length: random(8) }, () => pick(random, messages)).join('');
  for (let edits = random(3); edits > 0 && text.length > 0; edits--) {
    const at = random(text.length);
    text = text.slice(0, at) + String.fromCharCode(random(256)) + text.slice(at + random(2));
  }
  return `${isStart ? 's' : 'm'}${text}`;
}

function checkStart(bytes: Buffer): boolean {
  if (bytes.length < 8 || startPacketBytes(bytes) === undefined) return false;
  const packet = readStartPacket(bytes);
  if (packet.kind !== 'start-up') return packet.kind !== 'malformed';
  const end = { databases: ['orders'], parameters: { statement_timeout: '1s' } } as const;
  const start = serverStart(packet, end);
  if (start.kind === 'refused') return false;
  assert.equal(start.database, 'orders');
  assert.equal(start.settings.get('statement_timeout'), '1s');
  for (const name of ['role', 'replication', 'user', 'options']) assert.ok(!start.settings.has(name), name);
  return true;
}

/** What came of it: octets that passed, statements, and whether it was refused. */
function read(pushes: readonly Buffer[]): { passed: string; statements: string[]; refused: boolean } {
  const reader = new StatementMessages(200, false);
  const seen = { passed: '', statements: [] as string[], refused: false };
  const take = (piece: ClientPiece): void => {
    switch (piece.kind) {
      case 'bytes':
        seen.passed += Buffer.from(piece.bytes).toString('latin1');
        break;
      case 'statement':
        seen.passed += Buffer.from(piece.message).toString('latin1');
        seen.statements.push(textOf(piece));
        break;
      case 'refused':
        seen.refused = true;
        break;
      case 'holds':
        assert.ok(piece.octets <= 200);
        break;
      case 'began':
      case 'long':
    }
  };
  for (const push of pushes) for (const piece of reader.take(push)) take(piece);
  return seen;
}

function textOf({ type, message }: Extract<ClientPiece, { readonly kind: 'statement' }>): string {
  const said = readStatement(type, message);
  return said === undefined ? 'none' : Buffer.from(said.text).toString('latin1');
}

function checkMessages(bytes: Buffer): boolean {
  const whole = read([bytes]);
  assert.deepEqual(
    read([...bytes].map((octet) => Buffer.of(octet))),
    whole,
    'the way it arrives changes the result',
  );
  assert.ok(bytes.toString('latin1').startsWith(whole.passed), 'what goes on is not what came');
  // The reader that follows heads alone stops at the same message.
  const followed = new ClientMessages().take(bytes);
  assert.equal(followed.refusal !== undefined, whole.refused);
  if (whole.refused) {
    const passed = followed.pieces.map((piece) => Buffer.from(piece).toString('latin1')).join('');
    assert.equal(passed, whole.passed);
  }
  return whole.statements.length > 0;
}

await runTarget({
  name: 'postgres-session',
  generate,
  check(input) {
    const bytes = latin1(input.slice(1));
    return input.startsWith('s') ? checkStart(bytes) : checkMessages(bytes);
  },
});
