// Protocols that are not HTTP, as far as a client needs them to show that it got there.

import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';

const bufferBytesMax = 64 * 1024;

/** By service, with the port that it usually has. */
export function rawServices(): Readonly<Record<string, readonly [Server, number]>> {
  return {
    ssh: [createServer(serveSsh), 22],
    postgres: [createServer(servePostgres), 5432],
    redis: [createServer(serveRedis), 6379],
    rsync: [createServer(serveRsync), 873],
  };
}

/** Calls `take` with all that came and is not taken; it gives how many bytes it took. */
function onBytes(socket: Socket, take: (bytes: Buffer) => number): void {
  let waiting = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    waiting = Buffer.concat([waiting, chunk]);
    waiting = waiting.subarray(take(waiting));
    if (waiting.length > bufferBytesMax) socket.destroy();
  });
}

/** The banner of RFC 4253 §4.2. There are no keys here, so nothing follows. */
function serveSsh(socket: Socket): void {
  socket.write('SSH-2.0-UpstreamproxyFixture\r\n');
  socket.once('data', () => socket.end());
}

function message(type: string, body: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.write(type, 0, 'latin1');
  head.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

function uint16(...values: readonly number[]): Buffer {
  return Buffer.from(values.flatMap((value) => [value >> 8, value & 255]));
}

function uint32(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) bytes.writeInt32BE(value, index * 4);
  return bytes;
}

const readyForQuery = message('Z', Buffer.from('I'));

/** One row of one column of text, whatever was asked. */
function queryRows(): Buffer {
  const value = Buffer.from('hello from postgres');
  const column = Buffer.concat([
    Buffer.from('greeting\0'),
    uint32(0),
    uint16(0),
    uint32(25),
    uint16(0xff_ff),
    uint32(-1),
    uint16(0),
  ]);
  return Buffer.concat([
    message('T', Buffer.concat([uint16(1), column])),
    message('D', Buffer.concat([uint16(1), uint32(value.length), value])),
    message('C', Buffer.from('SELECT 1\0')),
    readyForQuery,
  ]);
}

const sslRequest = 80_877_103;
const gssRequest = 80_877_104;

/** PostgreSQL's protocol 3.0: no TLS, no password, one response to every query. */
function servePostgres(socket: Socket): void {
  const state = { started: false };
  onBytes(socket, (bytes) => {
    let taken = 0;
    for (;;) {
      const rest = bytes.subarray(taken);
      const length = state.started ? serveQuery(socket, rest) : startUp(socket, rest, state);
      if (length === 0) return taken;
      taken += length;
    }
  });
}

/** Takes one message of the start, which has no type. Gives its length, or 0 if it is not all there. */
function startUp(socket: Socket, bytes: Buffer, state: { started: boolean }): number {
  const length = bytes.length < 8 ? 0 : bytes.readUInt32BE(0);
  if (length < 8 || bytes.length < length) return 0;
  const code = bytes.readUInt32BE(4);
  if (code === sslRequest || code === gssRequest) {
    socket.write('N');
    return length;
  }
  state.started = true;
  const parameter = (name: string, value: string): Buffer => message('S', Buffer.from(`${name}\0${value}\0`));
  const parameters = [parameter('server_version', '15.0'), parameter('client_encoding', 'UTF8')];
  socket.write(Buffer.concat([message('R', uint32(0)), ...parameters, readyForQuery]));
  return length;
}

/** Takes one message. Gives its length, or 0 if it is not all there. */
function serveQuery(socket: Socket, bytes: Buffer): number {
  const length = bytes.length < 5 ? 0 : bytes.readUInt32BE(1) + 1;
  if (length < 5 || bytes.length < length) return 0;
  const type = String.fromCharCode(bytes[0] ?? 0);
  if (type === 'Q') socket.write(queryRows());
  if (type === 'X') socket.end();
  return length;
}

/** RESP: `PONG` to PING, `hello from redis` to GET, an empty list to what is asked about commands. */
function serveRedis(socket: Socket): void {
  const responses: Readonly<Record<string, string>> = {
    ping: '+PONG\r\n',
    get: '$16\r\nhello from redis\r\n',
    command: '*0\r\n',
    hello: '-ERR unknown command\r\n',
    quit: '+OK\r\n',
  };
  onBytes(socket, (bytes) => {
    let taken = 0;
    for (;;) {
      const found = /^\*([0-9]+)\r\n(?:\$[0-9]+\r\n[^\r\n]*\r\n)+/.exec(bytes.toString('latin1', taken));
      // The bulk strings of a command, two lines each.
      if (found === null || found[0].split('\r\n').length - 2 < Number(found[1]) * 2) return taken;
      const [, , name = ''] = found[0].split('\r\n');
      socket.write(responses[name.toLowerCase()] ?? '+OK\r\n');
      taken += found[0].length;
    }
  });
}

/** The daemon's greeting, and its list of modules. */
function serveRsync(socket: Socket): void {
  socket.write('@RSYNCD: 31.0 md5 md4\n');
  let lines = 0;
  onBytes(socket, (bytes) => {
    const end = bytes.lastIndexOf('\n') + 1;
    lines += bytes.toString('latin1', 0, end).split('\n').length - 1;
    // Its own version, and the name of a module, which is empty for the list.
    if (lines >= 2) socket.end('hello          \thello from rsync\n@RSYNCD: EXIT\n');
    return end;
  });
}
