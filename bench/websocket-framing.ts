// Our WebSocket framing beside the `ws` package, the same tunnel on top of both, the gateway in a process of its own.
// Each round runs every variant once; ratios are taken inside a round. Results: docs/decisions/websocket-framing.md.
// usage: node bench/websocket-framing.ts [--rounds N] [--megabytes N] [--seconds N]

import { fork, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { WebSocket, WebSocketServer } from 'ws';

import { TunnelLink } from '../src/net/tunnel-link.ts';
import type { TunnelStream } from '../src/net/tunnel-stream.ts';
import type { WebSocketConnection, WebSocketHandlers } from '../src/net/websocket-connection.ts';
import { acceptWebSocket, connectWebSocket } from '../src/net/websocket-handshake.ts';
import { ProxyError } from '../src/protocol/error.ts';
import { tunnelSubprotocol } from '../src/protocol/frame.ts';
import { defaultLimits as limits } from '../src/protocol/limits.ts';
import { createTestAuthority } from '../test/support/test-authority.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    megabytes: { type: 'string', default: '256' },
    seconds: { type: 'string', default: '1' },
    serve: { type: 'boolean', default: false },
  },
});

interface Variant {
  readonly name: string;
  readonly framing: 'own' | 'ws';
  readonly mask: 'random' | 'zero';
  readonly tls: boolean;
}

const variants: readonly Variant[] = [
  { name: 'ws, random mask', framing: 'ws', mask: 'random', tls: false },
  { name: 'own, random mask', framing: 'own', mask: 'random', tls: false },
  { name: 'ws, zero mask', framing: 'ws', mask: 'zero', tls: false },
  { name: 'own, zero mask', framing: 'own', mask: 'zero', tls: false },
  { name: 'ws, zero mask, TLS', framing: 'ws', mask: 'zero', tls: true },
  { name: 'own, zero mask, TLS', framing: 'own', mask: 'zero', tls: true },
];

type Row = Record<string, number>;

/** `ws` puts messages together and its adapter joins them: with smaller ones it is at its best. */
const wsLimits = { ...limits, messageBytesMax: 128 * 1024 };

/** A `ws` socket with the methods that a tunnel uses. It takes one buffer a message, so the parts are joined. */
class WsAdapter {
  readonly subprotocol = tunnelSubprotocol;
  readonly #socket: WebSocket;
  #handlers: WebSocketHandlers | undefined;

  constructor(socket: WebSocket, raw: Duplex) {
    this.#socket = socket;
    socket.binaryType = 'nodebuffer';
    socket.on('message', (data: Buffer) => {
      this.#handlers?.onData(data);
      this.#handlers?.onMessageEnd();
    });
    socket.on('error', () => socket.terminate());
    socket.on('close', () => this.#handlers?.onClose(undefined, false));
    raw.on('drain', () => this.#handlers?.onDrain?.());
  }

  get writableLength(): number {
    return this.#socket.bufferedAmount;
  }

  start(handlers: WebSocketHandlers): void {
    this.#handlers = handlers;
  }

  sendBinary(parts: readonly Uint8Array[]): boolean {
    if (this.#socket.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(parts.length === 1 ? parts[0]! : Buffer.concat(parts));
    return this.#socket.bufferedAmount < limits.writeBufferBytesMax;
  }

  async close(): Promise<void> {
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    this.#socket.close();
    await once(this.#socket, 'close');
  }

  destroy(): void {
    this.#socket.terminate();
  }
}

/** A link uses nothing but the methods that the adapter has. */
function asConnection(socket: WebSocket, raw: Duplex): WebSocketConnection {
  return new WsAdapter(socket, raw) as unknown as WebSocketConnection;
}

/** Outside TLS no zero mask is agreed; for the comparison the ends are made to believe in one. */
function pretendEncrypted(socket: Duplex): void {
  if (!('encrypted' in socket)) Object.assign(socket, { encrypted: true });
}

// The gateway's process

function serveStream(stream: TunnelStream): void {
  const [what, size] = stream.fields.authority.split(':');
  if (what === 'echo') {
    stream.pipe(stream);
  } else if (what === 'sink') {
    stream.resume().on('end', () => stream.end('done'));
  } else {
    stream.resume();
    void writeBytes(stream, Number(size));
  }
}

async function writeBytes(stream: Duplex, bytes: number): Promise<void> {
  for (let left = bytes; left > 0; left -= blocks[0]!.length) {
    // Not one block again and again, which would stay in the cache of the processor.
    const block = blocks[(left / blocks[0]!.length) % blocks.length]!;
    if (!stream.write(block)) await once(stream, 'drain');
  }
  stream.end();
}

const blocks = Array.from({ length: 64 }, (_, i) => Buffer.alloc(65_536, i + 1));

async function serve(): Promise<void> {
  const authority = createTestAuthority();
  const servers = [http.createServer(), https.createServer({ ...authority.issue('gateway.test') })];
  const peers = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    skipUTF8Validation: true,
    handleProtocols: () => tunnelSubprotocol,
  });
  const ports: number[] = [];
  for (const server of servers) {
    server.on('upgrade', (request: http.IncomingMessage, socket: net.Socket, head: Buffer) => {
      socket.setNoDelay(true);
      const open = (webSocket: WebSocketConnection): void => {
        const linkLimits = request.url === '/ws' ? wsLimits : limits;
        void new TunnelLink({ webSocket, role: 'gateway', limits: linkLimits, onStream: serveStream });
      };
      if (request.url === '/ws')
        return peers.handleUpgrade(request, socket, head, (peer) => open(asConnection(peer, socket)));
      pretendEncrypted(socket);
      return open(
        acceptWebSocket({
          request,
          socket,
          head,
          subprotocols: [tunnelSubprotocol],
          allowZeroMask: true,
          limits,
        }),
      );
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    ports.push((server.address() as net.AddressInfo).port);
  }
  process.send?.({ ports, ca: authority.caPem });
  process.on('message', () => process.send?.({ cpuMs: cpuMs() }));
  process.on('disconnect', () => process.exit());
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

// The agent's process

interface Gateway {
  readonly child: ChildProcess;
  readonly ports: readonly [plain: number, tls: number];
  readonly secureContext: tls.SecureContext;
}

async function gatewayCpuMs({ child }: Gateway): Promise<number> {
  child.send('usage');
  const [{ cpuMs }] = (await once(child, 'message')) as [{ cpuMs: number }];
  return cpuMs;
}

async function connectSocket({ ports, secureContext }: Gateway, variant: Variant): Promise<net.Socket> {
  if (!variant.tls) {
    const socket = net.connect({ port: ports[0], host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    await once(socket, 'connect');
    return socket;
  }
  const socket = tls.connect({
    port: ports[1],
    host: '127.0.0.1',
    servername: 'gateway.test',
    secureContext,
  });
  await once(socket, 'secureConnect');
  socket.setNoDelay(true);
  return socket;
}

async function connect(gateway: Gateway, variant: Variant): Promise<TunnelLink> {
  const socket = await connectSocket(gateway, variant);
  const zeroMask = variant.mask === 'zero';
  if (variant.framing === 'ws') {
    const options = { perMessageDeflate: false, skipUTF8Validation: true, createConnection: () => socket };
    // A mask function that leaves the zeros of the buffer is how `ws` is told to use none.
    const mask = zeroMask ? { generateMask: (): void => undefined } : {};
    const peer = new WebSocket('ws://gateway.test/ws', [tunnelSubprotocol], { ...options, ...mask });
    await once(peer, 'open');
    return new TunnelLink({ webSocket: asConnection(peer, socket), role: 'agent', limits: wsLimits });
  }
  if (zeroMask) pretendEncrypted(socket);
  const request = {
    host: 'gateway.test',
    path: '/own',
    subprotocols: [tunnelSubprotocol],
    headers: [],
    zeroMask,
    limits,
  };
  return new TunnelLink({ webSocket: await connectWebSocket({ ...request, socket }), role: 'agent', limits });
}

const open = (link: TunnelLink, authority: string): TunnelStream =>
  link.openStream({ authority, mode: 'raw' });

async function bulk(gateway: Gateway, link: TunnelLink, row: Row): Promise<void> {
  const bytes = Number(values.megabytes) * 1024 * 1024;
  for (const direction of ['up', 'down'] as const) {
    const [start, nearCpu, farCpu] = [performance.now(), cpuMs(), await gatewayCpuMs(gateway)];
    const stream = open(link, direction === 'up' ? 'sink:1' : `source:${bytes}`);
    let received = 0;
    stream.on('data', (chunk: Buffer) => {
      received += chunk.length;
    });
    if (direction === 'up') void writeBytes(stream, bytes);
    else stream.end();
    await once(stream, 'end');
    if (received !== (direction === 'up' ? 4 : bytes)) throw new Error(`${received} bytes arrived`);
    const seconds = (performance.now() - start) / 1000;
    row[`${direction} MB/s`] = bytes / 1e6 / seconds;
    row[`${direction} CPU s/GB`] =
      (cpuMs() - nearCpu + (await gatewayCpuMs(gateway)) - farCpu) / 1000 / (bytes / 1e9);
  }
}

async function smallMessages(gateway: Gateway, link: TunnelLink, row: Row): Promise<void> {
  const until = performance.now() + Number(values.seconds) * 1000;
  const [start, nearCpu, farCpu] = [performance.now(), cpuMs(), await gatewayCpuMs(gateway)];
  let count = 0;
  const message = Buffer.alloc(200, 1);
  const workers = Array.from({ length: 32 }, async () => {
    const stream = open(link, 'echo:1');
    while (performance.now() < until) {
      stream.write(message);
      await once(stream, 'data');
      count += 1;
    }
    stream.resume().end();
    await once(stream, 'close');
  });
  await Promise.all(workers);
  row['small/s'] = count / ((performance.now() - start) / 1000);
  row['small CPU µs'] = ((cpuMs() - nearCpu + (await gatewayCpuMs(gateway)) - farCpu) * 1000) / count;
}

async function newLinks(gateway: Gateway, variant: Variant, row: Row): Promise<void> {
  const start = performance.now();
  const until = start + Number(values.seconds) * 1000;
  let count = 0;
  const workers = Array.from({ length: 4 }, async () => {
    while (performance.now() < until) {
      const link = await connect(gateway, variant);
      await link.roundTrip();
      link.destroy();
      count += 1;
    }
  });
  await Promise.all(workers);
  row['links/s'] = count / ((performance.now() - start) / 1000);
}

/** Milliseconds that a fresh process needs for the imports of a client, beside those of node:net and node:tls. */
async function importMs(modules: readonly string[]): Promise<number> {
  const imports = modules.map((module) => `await import(${JSON.stringify(module)});`).join('');
  const code = `await import('node:net'); await import('node:tls'); const s = performance.now(); ${imports} console.log(performance.now() - s)`;
  const child = spawn(process.execPath, [
    '--disable-warning=ExperimentalWarning',
    '--input-type=module',
    '-e',
    code,
  ]);
  const [output] = (await once(child.stdout, 'data')) as [Buffer];
  return Number(String(output));
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

const digits = (value: number): string => (value < 10 ? value.toFixed(2) : value.toFixed(0));

function print(rounds: readonly (readonly Row[])[]): void {
  const columns = Object.keys(rounds[0]?.[0] ?? {});
  console.log(`| variant | ${columns.join(' | ')} |\n|---|${columns.map(() => '---').join('|')}|`);
  for (const [i, { name }] of variants.entries()) {
    console.log(
      `| ${name} | ${columns.map((column) => digits(median(rounds.map((rows) => rows[i]![column]!)))).join(' | ')} |`,
    );
  }
  console.log('\nown / ws, median (min–max) of the ratios inside each round:');
  for (let i = 0; i < variants.length; i += 2) {
    const cells = columns.map((column) => {
      const ratios = rounds.map((rows) => rows[i + 1]![column]! / rows[i]![column]!);
      return `${column} ${digits(median(ratios))} (${digits(Math.min(...ratios))}–${digits(Math.max(...ratios))})`;
    });
    console.log(`- ${variants[i + 1]!.name.replace('own, ', '')}: ${cells.join(', ')}`);
  }
}

async function main(): Promise<void> {
  const child = fork(fileURLToPath(import.meta.url), ['--serve']);
  const [{ ports, ca }] = (await once(child, 'message')) as [{ ports: [number, number]; ca: string }];
  const gateway: Gateway = { child, ports, secureContext: tls.createSecureContext({ ca }) };
  const rounds: Row[][] = [];
  // The first round warms up and is not counted.
  for (let round = 0; round <= Number(values.rounds); round += 1) {
    const rows: Row[] = [];
    for (const variant of round % 2 === 0 ? variants : variants.toReversed()) {
      const row: Row = {};
      const link = await connect(gateway, variant);
      await bulk(gateway, link, row);
      await smallMessages(gateway, link, row);
      link.destroy(new ProxyError('cancelled', 'The measurement is over.'));
      await newLinks(gateway, variant, row);
      if (round % 2 === 0) rows.push(row);
      else rows.unshift(row);
    }
    if (round > 0) rounds.push(rows);
  }
  print(rounds);
  // As the package ships it: the source would be measured with the stripping of its types.
  const compiled = new URL('../dist/net/websocket-handshake.js', import.meta.url);
  const imports = { ws: ['ws'], own: [compiled.href] };
  if (!existsSync(compiled)) throw new Error('dist/ is missing: npm run build');
  for (const [name, modules] of Object.entries(imports)) {
    const runs: number[] = [];
    for (let i = 0; i < 7; i += 1) runs.push(await importMs(modules));
    console.log(
      `import of ${name}: ${digits(median(runs))} ms (${digits(Math.min(...runs))}–${digits(Math.max(...runs))})`,
    );
  }
  child.disconnect();
}

await (values.serve ? serve() : main());
