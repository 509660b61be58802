// Fuzz target: bytes of a WebSocket peer into the parser of either role, and responds to a handshake. An input is
// hexadecimal: the first octet says what the rest is for.
// node fuzz/websocket.ts [--seed N] [--runs N] [--repro '"<hex>"']

import { ResponseReader } from '../src/http/response-reader.ts';
import { WebSocketFault } from '../src/net/websocket-frame.ts';
import { WebSocketParser } from '../src/net/websocket-parser.ts';
import { parseProblem } from '../src/net/websocket-refusal.ts';
import { ProxyError } from '../src/protocol/error.ts';

import { pieces, runTarget } from './run-target.ts';
import type { Random } from './run-target.ts';

const messageBytesMax = 2000;
const headBytesMax = 400;

/** A frame that is mostly right: half of the inputs should get past the first header. */
function randomFrame(random: Random, masked: boolean): Buffer {
  const opcode = [2, 2, 2, 0, 0, 8, 9, 10, 1, random(16)][random(10)] ?? 2;
  const fin = random(3) > 0 || opcode >= 8 ? 0x80 : 0;
  const rsv = random(30) === 0 ? random(8) << 4 : 0;
  const length = random(opcode >= 8 ? 130 : 600);
  const claimed = random(40) === 0 ? random(70_000) : length;
  const form = random(20) === 0 ? random(3) : claimed < 126 ? 0 : claimed < 65_536 ? 1 : 2;
  const size = Buffer.alloc([0, 2, 8][form] ?? 0);
  if (form === 1) size.writeUInt16BE(claimed & 0xffff);
  if (form === 2) size.writeBigUInt64BE(BigInt(claimed) << BigInt(random(5) === 0 ? random(48) : 0));
  const short = form === 0 ? Math.min(claimed, 125) : 125 + form;
  const maskBit = masked !== (random(30) === 0) ? 0x80 : 0;
  const payload = Buffer.from(Uint8Array.from({ length }, () => random(256)));
  if (opcode === 8 && length >= 2 && random(4) > 0) payload.writeUInt16BE(1000 + random(16));
  const mask = maskBit === 0 ? [] : [random(256), random(256), random(256), random(256)];
  return Buffer.concat([
    Buffer.from([fin | rsv | opcode, maskBit | short]),
    size,
    Buffer.from(mask),
    payload,
  ]);
}

const words = [
  'HTTP/1.1 101 Switching Protocols\r\n',
  'HTTP/1.1 403 x\r\n',
  'Upgrade: websocket\r\n',
  'Connection: Upgrade, x\r\n',
  'Content-Length: 12\r\n',
  ' ',
  ':',
  ',',
  '\r\n',
  '\r\n\r\n',
  '{"error":"e","message":"m"}',
];

function generate(random: Random): string {
  const selector = random(256);
  if (selector < 40) {
    const start = random(4) === 0 ? '' : 'HTTP/1.1 403 Forbidden\r\n';
    return Buffer.from(
      `${String.fromCharCode(selector)}${start}${pieces(random, words, 12)}`,
      'latin1',
    ).toString('hex');
  }
  const frames = Array.from({ length: 1 + random(8) }, () => randomFrame(random, selector % 2 === 0));
  const bytes = Buffer.concat([Buffer.from([selector]), ...frames]);
  for (let changes = random(3) === 0 ? random(4) : 0; changes > 0; changes -= 1)
    bytes[1 + random(bytes.length - 1)] = random(256);
  return bytes.toString('hex');
}

function check(input: string): boolean {
  const bytes = Buffer.from(input, 'hex');
  const selector = bytes[0] ?? 0;
  return selector < 40 ? checkResponse(bytes.subarray(1)) : checkFrames(selector, bytes.subarray(1));
}

/** The same report for every split, no error but ours, and no byte that was not received. */
function checkFrames(selector: number, bytes: Buffer): boolean {
  const role = selector % 2 === 0 ? 'server' : 'client';
  const whole = report(role, bytes, bytes.length);
  for (const pieceBytes of [1, 2, 3, 7, 1 + (selector % 97)]) {
    const split = report(role, bytes, pieceBytes);
    if (split !== whole) throw new Error(`in pieces of ${pieceBytes}:\n${split}\nin one piece:\n${whole}`);
  }
  return !whole.startsWith('fault');
}

function report(role: 'client' | 'server', bytes: Buffer, pieceBytes: number): string {
  const lines: string[] = [];
  let message = '';
  let isClosed = false;
  const add = (line: string): void => {
    if (isClosed) throw new Error(`${line} behind a close`);
    lines.push(line);
  };
  const parser = new WebSocketParser({
    role,
    messageBytesMax,
    sink: {
      data: (part) => {
        message += Buffer.from(part).toString('hex');
        if (message.length > 2 * messageBytesMax) throw new Error('a message above the limit');
      },
      messageEnd: () => {
        add(`message ${message}`);
        message = '';
      },
      ping: (payload) => add(`ping ${Buffer.from(payload).toString('hex')}`),
      pong: (payload) => add(`pong ${Buffer.from(payload).toString('hex')}`),
      close: ({ code, reason }) => {
        add(`close ${code} ${reason}`);
        isClosed = true;
      },
    },
  });
  try {
    for (let at = 0; at < bytes.length; at += pieceBytes)
      parser.receive(Buffer.from(bytes.subarray(at, at + pieceBytes)));
  } catch (error) {
    if (!(error instanceof WebSocketFault)) throw error;
    lines.push(`fault ${error.closeCode} ${error.message}`);
  }
  if (message !== '') lines.push(`open ${message}`);
  if (lines.join('').length > 2 * bytes.length + 200 * (lines.length + 1))
    throw new Error('more came out than went in');
  return lines.join('\n');
}

/** A refusal is told alike in every split, with no more of it than the limits, and no head before its end. */
function checkResponse(bytes: Buffer): boolean {
  const whole = responseOf(bytes, bytes.length);
  for (const pieceBytes of [1, 3, 7]) {
    const split = responseOf(bytes, pieceBytes);
    if (split !== whole) throw new Error(`in pieces of ${pieceBytes}:\n${split}\nin one piece:\n${whole}`);
  }
  return whole.startsWith('response');
}

function responseOf(bytes: Buffer, pieceBytes: number): string {
  const reader = new ResponseReader({
    request: { method: 'GET', asksToSwitch: true },
    limits: { headBytesMax, headersCountMax: 20 },
    bodyBytesMax: 100,
    fault: (reason) => new ProxyError('gateway_protocol', reason),
  });
  let fault = '';
  try {
    for (let at = 0; at < bytes.length; at += pieceBytes) reader.push(bytes.subarray(at, at + pieceBytes));
  } catch (error) {
    if (!(error instanceof ProxyError && error.code === 'gateway_protocol')) throw error;
    fault = 'fault';
  }
  const { head, bodySoFar } = reader;
  if (bodySoFar.length > 100) throw new Error('a body above the limit');
  for (const [name, value] of head?.headers ?? []) {
    if (/[\r\n\0]/.test(name + value) || name === '' || value !== value.trim())
      throw new Error(`the field ${JSON.stringify([name, value])}`);
  }
  parseProblem(Buffer.from(bodySoFar));
  const said = head === undefined ? 'nothing' : `response ${head.status} ${head.headers.toRaw().join('=')}`;
  return `${said} ${fault}${fault === '' ? Buffer.from(reader.rest).toString('hex') : ''}`;
}

await runTarget({ name: 'websocket', generate, check });
