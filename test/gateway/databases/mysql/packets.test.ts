// Packets of a session in both directions, cut in every place.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ClientPackets, type CommandJudge } from '../../../../src/gateway/databases/mysql/client-packets.ts';
import { CommandRule } from '../../../../src/gateway/databases/mysql/command-rule.ts';
import {
  errorPacket,
  littleEndian,
  packetHeadBytes,
  packetOf,
  payloadBytesMax,
  readError,
  readHead,
} from '../../../../src/gateway/databases/mysql/packet.ts';
import { ServerPackets } from '../../../../src/gateway/databases/mysql/server-packets.ts';
import { StandIns } from '../../../../src/gateway/databases/mysql/stand-in.ts';
import type { Thread } from '../../../../src/gateway/databases/mysql/thread-ids.ts';
import { signalResponse } from './support/signal-response.ts';

const command = (number: number, text: string | Uint8Array = ''): Uint8Array =>
  packetOf(0, Uint8Array.of(number), text);
const query = (sql: string): Uint8Array => command(0x03, sql);
const standIns = new StandIns(Uint8Array.of(1, 2, 3, 4), 'db');
const address = '10.1.2.3';

function rule({
  databases = ['orders'],
  threads = [],
  isKnown = true,
}: {
  readonly databases?: readonly string[];
  readonly threads?: readonly Thread[];
  readonly isKnown?: boolean;
} = {}) {
  const seen: string[] = [];
  const judge = new CommandRule({
    end: { databases },
    standIns,
    address: isKnown ? address : undefined,
    findThread: (id) => threads.find((one) => one.id === id || one.serverId === id),
    watcher: {
      passed: (name) => seen.push(name),
      refused: (name) => seen.push(`!${name ?? 'other'}`),
    },
  });
  return { judge, seen };
}

/** What goes on of what comes in these pieces. */
function sent(
  judge: CommandJudge,
  pieces: readonly Uint8Array[],
): { text: string; broken: string | undefined } {
  const packets = new ClientPackets(judge);
  let text = '';
  let broken: string | undefined;
  for (const piece of pieces) {
    const taken = packets.take(piece);
    text += taken.pieces.map((one) => Buffer.from(one).toString('latin1')).join('');
    broken ??= taken.broken;
  }
  return { text, broken };
}

const latin1 = (...packets: readonly Uint8Array[]): string => Buffer.concat(packets).toString('latin1');

/** The same however it is cut: in one piece, in two at every place, and octet by octet. */
function sentInPieces(make: () => CommandJudge, ...packets: readonly Uint8Array[]) {
  const all = Buffer.concat(packets);
  const whole = sent(make(), [all]);
  for (let at = 1; at < all.length; at += 1)
    assert.deepEqual(sent(make(), [all.subarray(0, at), all.subarray(at)]), whole, `cut at ${String(at)}`);
  assert.deepEqual(
    sent(
      make(),
      [...all].map((octet) => Buffer.of(octet)),
    ),
    whole,
  );
  return whole;
}

test('what may go on does so as it came, and of the rest a stand-in does, in every cut', () => {
  const passing = [query('SELECT 1'), command(0x0e), command(0x16, 'SELECT ?'), command(0x02, 'orders')];
  const more = [command(0x18, 'x'.repeat(600)), query(`SELECT '${'y'.repeat(300)}'`), command(0xfa, 'bulk')];
  const refused = [0x11, 0x12, 0x1e, 0x15, 0x13, 0x0c, 0x08, 0x0d, 0x20, 0x21, 0x00, 0x05, 0x99, 0xfe];
  const between = refused.flatMap((number) => [command(number, 'secret'), query('SELECT 2')]);
  const { text, broken } = sentInPieces(() => rule().judge, ...passing, ...between, ...more, command(0x01));
  const expected = [
    ...passing,
    ...refused.flatMap((number) => [standIns.packet({ kind: 'command', number }, 1), query('SELECT 2')]),
    ...more,
    command(0x01),
  ];
  assert.equal(text, latin1(...expected));
  assert.equal(broken, undefined);
  assert.ok(!text.includes('secret'));
});

test('the audit has names of commands and nothing else', () => {
  const { judge, seen } = rule();
  const secret = 'SELECT canary';
  sent(judge, [
    Buffer.concat([query(secret), command(0x11, secret), command(0x77, secret), command(0x02, 'other')]),
  ]);
  assert.deepEqual(seen, ['query', '!change_user', '!other', '!init_db']);
});

test('a database that the rule does not name is refused, and all are open where it names none', () => {
  const database = standIns.packet({ kind: 'database' }, 1);
  for (const name of ['other', 'Orders', 'orders2', 'orders\0x', 'o'.repeat(300), ''])
    assert.equal(sentInPieces(() => rule().judge, command(0x02, name)).text, latin1(database), name);
  assert.equal(sent(rule().judge, [command(0x02, 'orders\0')]).text, latin1(command(0x02, 'orders\0')));
  const any = command(0x02, 'o'.repeat(300));
  assert.equal(sent(rule({ databases: [] }).judge, [any]).text, latin1(any));
});

test('what is longer than a packet is followed to its end, whether it goes on or not', () => {
  const filled = Buffer.alloc(payloadBytesMax, 'z');
  const first = (number: number): Buffer => {
    const packet = Buffer.concat([littleEndian(payloadBytesMax, 3), Uint8Array.of(0), filled]);
    packet[packetHeadBytes] = number;
    return packet;
  };
  // In the second packet stands what would be a command by itself.
  const inside = packetOf(1, Uint8Array.of(0x11), 'change user');
  const after = query('SELECT 1');
  const passes = sent(rule().judge, [first(0x18), inside, after]);
  assert.equal(passes.text.length, packetHeadBytes + payloadBytesMax + inside.length + after.length);
  assert.equal(
    sent(rule().judge, [first(0x11), inside, after]).text,
    latin1(standIns.packet({ kind: 'command', number: 0x11 }, 2), after),
  );
  // A packet of nothing ends one that is a multiple of that length.
  const empty = Uint8Array.of(0, 0, 0, 1);
  assert.ok(sent(rule().judge, [first(0x18), empty, after]).text.endsWith(latin1(empty, after)));
  // Of another number it belongs to nobody.
  for (const [number, broken] of [
    [0x18, 'within'],
    [0x11, 'between'],
  ] as const) {
    const cut = sent(rule().judge, [first(number), packetOf(2, 'x'), after]);
    assert.equal(cut.broken, broken);
    assert.ok(!cut.text.endsWith(latin1(after)));
    if (number === 0x11) assert.equal(cut.text, '', 'it has no last packet');
  }
});

test('of a refused command the last packet says which number its response has', () => {
  const filled = Buffer.alloc(packetHeadBytes + payloadBytesMax, 'z');
  filled.set(littleEndian(payloadBytesMax, 3));
  const packets = new ClientPackets(rule().judge);
  const after = query('SELECT 1');
  // Of 4 GiB: 256 of them, so that the number begins anew.
  for (let sequence = 0; sequence < 257; sequence += 1) {
    filled[3] = sequence;
    filled[packetHeadBytes] = 0x11;
    assert.deepEqual(packets.take(filled), { pieces: [] }, String(sequence));
  }
  const { pieces } = packets.take(Buffer.concat([packetOf(1, 'the last'), after]));
  const standIn = standIns.packet({ kind: 'command', number: 0x11 }, 2);
  assert.equal(latin1(...pieces), latin1(standIn, after));
  assert.equal(packets.following, 1);
  assert.equal(packets.take(packetOf(7, 'x')).broken, 'between');
  assert.equal(packets.following, 8);
});

test('the response to a refused command has the number that follows its last packet', () => {
  for (const following of [0, 1, 2, 35, 36, 255]) {
    const packets = new ServerPackets((payload) => standIns.response(payload));
    const [own] = packets.take(toStandIn({ kind: 'database' }, '', following));
    assert.equal(readHead(own ?? assert.fail(), 0).sequence, following);
    assert.equal(packets.sequence, following, 'what is told behind it goes on from there');
  }
});

test('a packet of a log-in, of a file, or of nothing ends what goes on', () => {
  for (const broken of [
    packetOf(2, 'a file of the client'),
    packetOf(1, Uint8Array.of(0x03), 'x'),
    packetOf(0),
    packetOf(255, 'x'),
  ]) {
    const { text, broken: how } = sentInPieces(
      () => rule().judge,
      query('SELECT 1'),
      broken,
      query('SELECT 2'),
    );
    assert.equal(text, latin1(query('SELECT 1')));
    assert.equal(how, 'between');
  }
});

test('KILL reaches connections of the own session at the own server, by its number or the server’s', () => {
  const threads = [
    { id: 2_000_000_001, serverId: 7, address },
    { id: 2_000_000_002, serverId: 8, address: '10.9.9.9' },
  ];
  const make = () => rule({ threads }).judge;
  for (const [said, goes] of [
    ['KILL QUERY 2000000001', 'KILL QUERY 7'],
    ['kill  connection\t2000000001 ;', 'KILL CONNECTION 7'],
    ['\n kill 7;', 'KILL 7'],
    ['Kill Soft Query 2000000001', 'KILL SOFT QUERY 7'],
  ] as const)
    assert.equal(sentInPieces(make, query(said)).text, latin1(query(goes)), said);
  const thread = latin1(standIns.packet({ kind: 'thread' }, 1));
  for (const said of ['KILL QUERY 9', 'KILL 8', 'KILL QUERY 2000000002', 'KILL 4294967303'])
    assert.equal(sent(make(), [query(said)]).text, thread, said);
  // Which server it is has to be known.
  assert.equal(sent(rule({ threads, isKnown: false }).judge, [query('KILL 7')]).text, thread);
  const kill = latin1(standIns.packet({ kind: 'kill' }, 1));
  for (const said of [
    'KILL USER agent',
    'KILL QUERY ID 7',
    'KILL (SELECT 7)',
    'KILL(7)',
    'KILL 7 + 1',
    'KILL/**/7',
    'KILL 7; SELECT 1',
    'KILL QUERY 0x7',
    'KILL -1',
    'KILL',
    `KILL ${' '.repeat(300)}7`,
    'KILL QUERY QUERY 7',
  ])
    assert.equal(sent(make(), [query(said)]).text, kill, said);
  assert.equal(sent(make(), [command(0x16, 'KILL QUERY ?')]).text, kill);
  for (const said of ['KILLER', 'SELECT 7', 'kill_all', 'killé 7', '', 'k']) {
    const packet = query(said);
    assert.equal(sent(make(), [packet]).text, latin1(packet), said);
  }
});

const errorOf = (text: string, sequence = 1): Uint8Array =>
  errorPacket(sequence, { code: 1064, sqlState: '42000', message: `near '${text}' at line 1` });
/** What a server says to a stand-in, in words that depend on its language and on what a client set. */
function toStandIn(
  refused: Parameters<StandIns['packet']>[0],
  text = 'The gateway does not pass this on.',
  following = 1,
): Uint8Array {
  const statement = Buffer.from(standIns.packet(refused, following).subarray(packetHeadBytes + 1)).toString(
    'latin1',
  );
  const response = signalResponse(statement) ?? assert.fail(statement);
  return errorPacket(1, { ...response, message: text });
}

function said(pieces: readonly Uint8Array[]): { readonly text: string; readonly isBetween: boolean } {
  const packets = new ServerPackets((payload) => standIns.response(payload));
  const text = pieces
    .flatMap((piece) => packets.take(piece).map((one) => Buffer.from(one).toString('latin1')))
    .join('');
  return { text: text + Buffer.from(packets.end()).toString('latin1'), isBetween: packets.isBetween };
}

function saidInPieces(...packets: readonly Uint8Array[]): string {
  const all = Buffer.concat(packets);
  const whole = said([all]);
  for (let at = 1; at < all.length; at += 1)
    assert.deepEqual(said([all.subarray(0, at), all.subarray(at)]), whole, `cut at ${String(at)}`);
  assert.deepEqual(said([...all].map((octet) => Buffer.of(octet))), whole);
  return whole.text;
}

test('in the place of an error that a stand-in made stand words of the gateway, and all else is as it came', () => {
  const rows = [
    packetOf(1, Uint8Array.of(2)),
    packetOf(2, '\u0003abc'),
    packetOf(3, Uint8Array.of(0xfe, 0, 0)),
  ];
  const ok = packetOf(1, Uint8Array.of(0, 0, 0, 2, 0, 0, 0));
  const own = errorOf('SELECT nothing');
  const text = saidInPieces(
    ...rows,
    toStandIn({ kind: 'command', number: 0x11 }),
    ok,
    own,
    toStandIn({ kind: 'database' }),
  );
  const refusal = (code: number, sqlState: string, message: string): Uint8Array =>
    errorPacket(1, { code, sqlState, message: `rule db: ${message}` });
  assert.equal(
    text,
    latin1(
      ...rows,
      refusal(1227, '42000', 'the command change_user is not passed on'),
      ok,
      own,
      refusal(1044, '42000', 'it does not name this database'),
    ),
  );
});

test('an error of a stand-in is known by its number and state, whatever became of its text', () => {
  const utf16 = Buffer.from('The gateway', 'utf16le');
  for (const text of ['', 'T', 'near', '\\0428\\043B'.repeat(9), utf16.toString('latin1')])
    for (const [refused, code] of [
      [{ kind: 'command', number: 0 }, 1227],
      [{ kind: 'command', number: 255 }, 1227],
      [{ kind: 'database' }, 1044],
      [{ kind: 'thread' }, 1094],
      [{ kind: 'kill' }, 1227],
      [{ kind: 'malformed' }, 1835],
    ] as const) {
      const said = saidInPieces(toStandIn(refused, text));
      assert.equal(readError(Buffer.from(said, 'latin1').subarray(packetHeadBytes), 500).code, code);
    }
  // One of them alone, and a neighbour of them, is somebody else's.
  const { code, sqlState } = readError(
    toStandIn({ kind: 'command', number: 0 }).subarray(packetHeadBytes),
    500,
  );
  for (const other of [
    errorPacket(1, { code, sqlState: '42000', message: '' }),
    errorPacket(1, { code: 1064, sqlState, message: '' }),
    errorPacket(1, { code: code - 1, sqlState, message: '' }),
    errorPacket(1, { code: code + 260, sqlState, message: '' }),
    errorPacket(1, { code, sqlState, message: '' }, false),
  ])
    assert.equal(saidInPieces(other), latin1(other));
});

test('a server reads each stand-in, and no two gateways have the same', () => {
  const made = [0, 1, 255].map((octet) => new StandIns(new Uint8Array(4).fill(octet), 'db'));
  for (const number of [0, 17, 255]) {
    const statements = made.map((one) =>
      Buffer.from(one.packet({ kind: 'command', number }, 255).subarray(packetHeadBytes + 1)).toString(),
    );
    assert.equal(new Set(statements).size, made.length);
    for (const statement of statements) assert.notEqual(signalResponse(statement), undefined, statement);
  }
});

test('a stand-in counts in the first packet of a response alone, and not within values', () => {
  const mark = toStandIn({ kind: 'command', number: 0x11 });
  const second = Buffer.from(mark);
  second[3] = 2;
  // A row that is numbered as a first packet is, with the error in it.
  const row = packetOf(1, Uint8Array.of(0x20), mark);
  assert.equal(saidInPieces(second, row), latin1(second, row));
  const long = packetOf(1, Uint8Array.of(0xff, 0, 0), `#42000${'x'.repeat(1100)}`, mark);
  assert.equal(saidInPieces(long), latin1(long));
  // In the second packet of one that goes on.
  const filled = Buffer.concat([
    littleEndian(payloadBytesMax, 3),
    Uint8Array.of(0),
    Buffer.alloc(payloadBytesMax),
  ]);
  assert.ok(said([filled, mark]).text.endsWith(latin1(mark)));
});

test('behind what cannot be read nothing of the server goes on', () => {
  const text = saidInPieces(toStandIn({ kind: 'malformed' }), packetOf(1, 'more'));
  const message = 'rule db: what came is not a packet as it has to be';
  assert.equal(text, latin1(errorPacket(1, { code: 1835, sqlState: 'HY000', message })));
});

test('between packets is what can be told of, and where they end', () => {
  const packet = packetOf(1, 'abc');
  assert.equal(said([packet]).isBetween, true);
  assert.equal(said([packet.subarray(0, 2)]).isBetween, false);
  assert.equal(said([packet.subarray(0, 5)]).isBetween, false);
});

test('errors are read as they are written, with a state and without, and are cut', () => {
  const refusal = { code: 1045, sqlState: '28000', message: 'no' };
  assert.deepEqual(readError(errorPacket(3, refusal).subarray(packetHeadBytes), 500), refusal);
  assert.deepEqual(readError(errorPacket(3, refusal, false).subarray(packetHeadBytes), 500), {
    ...refusal,
    sqlState: 'HY000',
  });
  assert.equal(readError(errorPacket(3, refusal).subarray(packetHeadBytes), 1).message, 'n');
  const { length, sequence } = readHead(errorPacket(259, { ...refusal, message: 'x\0'.repeat(2000) }), 0);
  assert.deepEqual([length, sequence], [3 + 6 + 511, 3]);
});
