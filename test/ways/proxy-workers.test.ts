// The listener for clients without an agent behind two workers: real processes, one listener to everybody who comes.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { readFile } from 'node:fs/promises';
import { ask, basic, nextResponse } from '../gateway/proxy/proxy-scene.ts';
import { mustRun } from '../support/command.ts';
import { deploy, type Deployment } from '../support/deployment.ts';
import { freePort } from '../support/free-port.ts';
import { httpOrigin, type Origin } from '../support/origin.ts';
import { isRunning, launcher, waitUntil } from '../support/program.ts';
import { workersOf } from '../support/worker-processes.ts';

const skip = process.env['TEST_WAYS'] === undefined ? '`npm run test:ways` runs it' : false;
const streamsMax = 6;

/** Says everything again. */
async function echo(): Promise<Server> {
  const server = createServer((socket: Socket) => void socket.on('error', () => undefined).pipe(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

/** Whose of these processes the other end of the connection is. */
function ownerOf({ localPort = 0, remotePort = 0 }: TLSSocket, processes: readonly number[]): number {
  const hex = (port: number): string => port.toString(16).toUpperCase().padStart(4, '0');
  const lines = ['tcp', 'tcp6'].flatMap((name) => readFileSync(`/proc/net/${name}`, 'utf8').split('\n'));
  const inodes = new Set(
    lines
      .map((line) => line.trim().split(/\s+/))
      .filter(([, at, from]) => at?.endsWith(`:${hex(remotePort)}`) && from?.endsWith(`:${hex(localPort)}`))
      .map((fields) => `socket:[${fields[9] ?? ''}]`),
  );
  const found = processes.find((pid) =>
    readdirSync(`/proc/${pid}/fd`).some((fd) => {
      try {
        return inodes.has(readlinkSync(`/proc/${pid}/fd/${fd}`));
      } catch {
        // It was closed meanwhile.
        return false;
      }
    }),
  );
  assert.ok(found !== undefined, `nobody has the connection from ${localPort}`);
  return found;
}

/** Takes requests, and responds to none. */
async function hang(): Promise<Server & { asked: number }> {
  const server = Object.assign(createHttpServer(), { asked: 0 });
  server.on('request', () => (server.asked += 1));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

describe('the listener for clients without an agent, behind two workers', { skip }, () => {
  let origin: Origin;
  let echoing: Server;
  let hanging: Awaited<ReturnType<typeof hang>>;
  let set: Deployment;
  let port: number;
  let metricsUrl: string;
  let ca: string;
  const opened: TLSSocket[] = [];

  before(async () => {
    origin = await httpOrigin();
    echoing = await echo();
    hanging = await hang();
    port = await freePort();
    const metrics = await freePort();
    metricsUrl = `http://127.0.0.1:${metrics}/metrics`;
    const open = { addresses: ['127.0.0.0/8'] };
    const plain = { scheme: 'http', ports: [origin.port, portOf(hanging)], ...open };
    set = await deploy({
      rules: [
        { name: 'api', hosts: 'api.test', ...plain },
        { name: 'few', hosts: 'few.test', ...plain, limits: { requestsPerSession: 6 } },
        { name: 'echo', hosts: 'echo.test', scheme: 'tcp', ports: [portOf(echoing)], ...open },
      ],
      hosts: { 'api.test': '127.0.0.1', 'few.test': '127.0.0.1', 'echo.test': '127.0.0.1' },
      config: {
        workers: 2,
        metrics: { port: metrics },
        proxy: { address: '127.0.0.1', port },
        limits: { drainTimeoutMs: 2_000, proxyStreamsPerSessionMax: streamsMax },
      },
    });
    ca = await readFile(set.gatewayCaFile, 'utf8');
  });
  after(async () => {
    end();
    await set?.[Symbol.asyncDispose]();
    await origin?.[Symbol.asyncDispose]();
    echoing?.close();
    hanging?.close();
  });

  // A TCP server's address is an object.
  const portOf = (server: Server): number => (server.address() as AddressInfo).port;
  const echoPort = (): number => portOf(echoing);

  function end(): void {
    for (const socket of opened.splice(0)) socket.destroy();
  }

  async function tokenOf(subject: string): Promise<string> {
    const args = ['token', 'issue', '--config', set.configFile, '--kind', 'proxy', '--subject', subject];
    return (await mustRun(launcher, args)).trim();
  }

  async function connect(alpn = 'http/1.1'): Promise<TLSSocket> {
    const socket = connectTls({ port, host: '127.0.0.1', ca, ALPNProtocols: [alpn] });
    socket.on('error', () => undefined);
    await once(socket, 'secureConnect');
    opened.push(socket);
    return socket;
  }

  /** Two and more are at both workers: the supervisor hands to the one with fewest. */
  const connections = (count: number): Promise<readonly TLSSocket[]> =>
    Promise.all(Array.from({ length: count }, () => connect()));

  const get = (name: string): string =>
    `GET http://${name}.test:${origin.port}/hello HTTP/1.1\r\nHost: ${name}.test:${origin.port}\r\n`;

  async function metric(name: string): Promise<number> {
    const said = await (await fetch(metricsUrl)).text();
    return Number(new RegExp(`^upstreamproxy_${name} (\\S+)$`, 'm').exec(said)?.[1]);
  }

  test('every connection is served, by whichever way, and one token is one session', async () => {
    const token = await tokenOf('each');
    // Each way at both workers: two that follow each other are not at the same one.
    for (const [i, socket] of (await connections(4)).entries()) {
      const target = i < 2 ? `api.test:${origin.port}` : `echo.test:${echoPort()}`;
      assert.match(await ask(socket, target, basic(token)), /^HTTP\/1\.1 200 /);
      if (i < 2) {
        socket.write(`GET /hello HTTP/1.1\r\nHost: ${target}\r\nConnection: close\r\n\r\n`);
        assert.match(await text(socket), /^HTTP\/1\.1 200 /);
      } else {
        // More than the way between two workers holds.
        const sent = 1_000_000;
        socket.write('x'.repeat(sent));
        let received = 0;
        while (received < sent) received += ((await once(socket, 'data')) as [Buffer])[0].length;
        assert.equal(received, sent);
        socket.end();
        await once(socket, 'close');
      }
    }
    // Requests in absolute form, each of which shows the token.
    for (const socket of await connections(2)) {
      for (let i = 0; i < 3; i += 1) {
        socket.write(`${get('api')}${basic(token)}\r\n`);
        assert.match(await nextResponse(socket), /^HTTP\/1\.1 200 /);
      }
      socket.write(`${get('api')}${basic(await tokenOf('another'))}\r\n`);
      assert.match(await nextResponse(socket), /^HTTP\/1\.1 407 /);
    }
    const sessions = await mustRun(launcher, ['session', 'list', '--config', set.configFile, '--json']);
    assert.equal(sessions.split('\n').filter((line) => line.includes('|each"')).length, 1, sessions);
  });

  test('a token that is first used at both workers at once begins one session', async () => {
    end();
    const token = await tokenOf('at-once');
    const sockets = await connections(streamsMax);
    const heads = await Promise.all(
      sockets.map((socket) => ask(socket, `echo.test:${echoPort()}`, basic(token))),
    );
    for (const head of heads) assert.match(head, /^HTTP\/1\.1 200 /);
    const listed = await mustRun(launcher, ['session', 'list', '--config', set.configFile, '--json']);
    assert.equal(listed.split('\n').filter((line) => line.includes('|at-once"')).length, 1, listed);
  });

  test('what is refused is told in the client’s words, wherever its session is', async () => {
    end();
    const token = await tokenOf('refused');
    for (const socket of await connections(2)) {
      assert.match(await ask(socket, '[::1', basic(token)), /^HTTP\/1\.1 400 /);
    }
    for (const socket of await connections(2))
      assert.match(
        await ask(socket, 'nowhere.test:443', basic('no token')),
        /^HTTP\/1\.1 407 [^]*proxy_token_needed/,
      );
  });

  test('a request that the worker of its session refuses is told why, in whichever form and at whichever worker it came', async () => {
    end();
    const token = await tokenOf('full');
    const target = `echo.test:${echoPort()}`;
    for (const socket of await connections(streamsMax))
      assert.match(await ask(socket, target, basic(token)), /^HTTP\/1\.1 200 /);
    for (const method of ['GET', 'HEAD'])
      for (const socket of await connections(4)) {
        socket.end(`${get('api').replace('GET', method)}${basic(token)}\r\n`);
        const response = await text(socket);
        assert.match(response, /^HTTP\/1\.1 429 [^]*x-deny-reason: stream_limit\r\n/);
        assert.equal(response.endsWith('reason: stream_limit\n'), method === 'GET', response);
      }
  });

  test('a client that ends its side first gets all that comes back, at whichever worker it came in', async () => {
    end();
    const token = await tokenOf('half-closed');
    for (const socket of await connections(4)) {
      socket.end(`${get('api')}Connection: close\r\n${basic(token)}\r\n`);
      assert.match(await text(socket), /^HTTP\/1\.1 200 /);
    }
  });

  test('connections and budgets of a session are counted once, not once a worker', async () => {
    end();
    const token = await tokenOf('counted');
    const target = `echo.test:${echoPort()}`;
    for (const socket of await connections(streamsMax))
      assert.match(await ask(socket, target, basic(token)), /^HTTP\/1\.1 200 /);
    for (const socket of await connections(4))
      assert.match(await ask(socket, target, basic(token)), /stream_limit/);
    end();
    const few = await tokenOf('few');
    const statuses: string[] = [];
    for (const socket of await connections(4)) {
      for (let i = 0; i < 5; i += 1) {
        socket.write(`${get('few')}${basic(few)}\r\n`);
        statuses.push((await nextResponse(socket)).slice(9, 12));
      }
    }
    assert.equal(statuses.filter((status) => status === '200').length, 6, statuses.join(' '));
    assert.equal(statuses.filter((status) => status === '429').length, 14, statuses.join(' '));
  });

  test('a revocation ends the connections at every worker, and no worker takes the token again', async (context) => {
    end();
    const [token, other] = [await tokenOf('revoked'), await tokenOf('stays')];
    const target = `echo.test:${echoPort()}`;
    const sockets = await connections(4);
    for (const socket of sockets) assert.match(await ask(socket, target, basic(token)), /^HTTP\/1\.1 200 /);
    const [kept] = await connections(1);
    assert.match(await ask(kept!, target, basic(other)), /^HTTP\/1\.1 200 /);
    const closed = sockets.map((socket) => once(socket, 'close'));
    const listed = await mustRun(launcher, ['session', 'list', '--config', set.configFile, '--json']);
    const line = listed.split('\n').find((one) => one.includes('|revoked"')) ?? '{}';
    // Printed by our own command.
    const { id } = JSON.parse(line) as { readonly id: string };
    await mustRun(launcher, ['session', 'revoke', id, '--config', set.configFile]);
    const revokedMs = performance.now();
    await Promise.all(closed);
    context.diagnostic(`all were closed ${Math.round(performance.now() - revokedMs)} ms later`);
    for (const socket of await connections(4))
      assert.match(await ask(socket, target, basic(token)), /^HTTP\/1\.1 407 /);
    kept!.write('still there');
    assert.equal(String((await once(kept!, 'data'))[0]), 'still there');
  });

  test('with a worker that is killed go its connections and those of its sessions, and what waits for a response is told', async () => {
    end();
    const workers = workersOf(set.gateway.pid);
    const target = `echo.test:${echoPort()}`;
    const tokens = await Promise.all(['of-one', 'of-other'].map(tokenOf));
    const places = new Map<string, number>();
    const tunnels: { readonly socket: TLSSocket; readonly at: number; readonly token: string }[] = [];
    const isPlaced = (at: number): boolean => [...places.values()].includes(at);
    // Each session is at the worker at which its token came first, and each has connections at both.
    for (const token of tokens)
      for (const socket of await connections(4)) {
        const at = ownerOf(socket, workers);
        if (!places.has(token) && isPlaced(at)) continue;
        assert.match(await ask(socket, target, basic(token)), /^HTTP\/1\.1 200 /);
        if (!places.has(token)) places.set(token, at);
        tunnels.push({ socket, at, token });
      }
    const [victim, token] = [places.get(tokens[0]!)!, tokens[0]!];
    assert.equal(new Set(places.values()).size, 2);
    const before = hanging.asked;
    const waiting = (await connections(4))
      .filter((socket) => ownerOf(socket, workers) !== victim)
      .slice(0, 2);
    const url = get('api').replaceAll(`:${origin.port}`, `:${portOf(hanging)}`);
    for (const socket of waiting) socket.write(`${url}${basic(token)}\r\n`);
    await waitUntil('they are asked', () => hanging.asked === before + waiting.length);
    assert.ok(waiting.length > 0);
    const isLost = ({ at, token: of }: (typeof tunnels)[number]): boolean =>
      at === victim || places.get(of) === victim;
    const lost = tunnels.filter(isLost);
    assert.ok(lost.some(({ at }) => at !== victim) && lost.length < tunnels.length);
    const closed = lost.map(({ socket }) => once(socket.resume(), 'close'));
    process.kill(victim, 'SIGKILL');
    for (const socket of waiting)
      assert.match(await nextResponse(socket), /^HTTP\/1\.1 502 [^]*x-deny-reason: stream_reset\r\n/);
    await Promise.all(closed);
    for (const { socket } of tunnels.filter((one) => !isLost(one))) {
      socket.write('still there');
      assert.equal(String((await once(socket, 'data'))[0]), 'still there');
    }
    // The session has another place at once, where all of its connections come to.
    await waitUntil('it is gone', () => !isRunning(victim));
    for (const socket of await connections(4)) {
      assert.match(await ask(socket, target, basic(token)), /^HTTP\/1\.1 200 /);
      socket.write('served');
      assert.equal(String((await once(socket, 'data'))[0]), 'served');
    }
    await waitUntil('it serves again', async () => (await metric('worker_restarts_total')) === 1);
  });

  test('a worker that is killed costs its own clients their connections, and the next ones are served', async () => {
    end();
    const tokens = await Promise.all(['one', 'two', 'three', 'four'].map(tokenOf));
    const target = `echo.test:${echoPort()}`;
    const sockets = await connections(tokens.length);
    for (const [i, socket] of sockets.entries())
      assert.match(await ask(socket, target, basic(tokens[i]!)), /^HTTP\/1\.1 200 /);
    const closed = sockets.map((socket) => once(socket, 'close'));
    const [victim] = workersOf(set.gateway.pid);
    process.kill(victim!, 'SIGKILL');
    await Promise.race(closed);
    await waitUntil('it is gone', () => !isRunning(victim!));
    for (const token of tokens) {
      const [socket] = await connections(1);
      assert.match(await ask(socket!, target, basic(token)), /^HTTP\/1\.1 200 /);
    }
    await waitUntil('it serves again', async () => (await metric('worker_restarts_total')) === 2);
    for (const token of tokens) {
      const [socket] = await connections(1);
      assert.match(await ask(socket!, target, basic(token)), /^HTTP\/1\.1 200 /);
    }
  });
});
