// Datagrams by rule, through a real gateway and real agents, with TLS between them: an echo, and a name server that the rule bounds.

import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';

import { captureObstacle } from '../support/capture-obstacle.ts';
import { runCommand } from '../support/command.ts';
import { deploy, type Deployment } from '../support/deployment.ts';
import { launcher } from '../support/program.ts';

const skip = process.env['TEST_WAYS'] === undefined ? '`npm run test:ways` runs it' : false;

async function bound(
  onMessage: (socket: Socket, datagram: Buffer, reply: (octets: Uint8Array) => void) => void,
) {
  const socket = createSocket('udp4');
  socket.on('message', (datagram, { port, address }) =>
    onMessage(socket, datagram, (octets) => socket.send(octets, port, address)),
  );
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return { socket, port: socket.address().port };
}

/** 192.0.2.7 for every name: the question again, and a record whose name is a pointer to it. */
function resolved(query: Buffer): Uint8Array {
  let at = 12;
  for (let length = query[at] ?? 0; length !== 0; length = query[at] ?? 0) at += 1 + length;
  const question = query.subarray(0, at + 5);
  const record = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7];
  const reply = Buffer.from([...question, ...record]);
  reply.writeUInt16BE(0x8180, 2);
  reply.writeUInt16BE(1, 6);
  reply.writeUInt16BE(0, 10);
  return reply;
}

async function freePort(): Promise<number> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
}

/** What comes back for a datagram; it is sent again until something does, as clients of UDP do. */
async function ask(port: number, text: string): Promise<string> {
  const socket = createSocket('udp4');
  const came = once(socket, 'message') as Promise<[Buffer]>;
  const timer = setInterval(() => socket.send(text, port, '127.0.0.1'), 200);
  socket.send(text, port, '127.0.0.1');
  try {
    const [datagram] = await came;
    return datagram.toString();
  } finally {
    clearInterval(timer);
    socket.close();
  }
}

describe('datagrams by rule', { skip }, () => {
  let echo: Awaited<ReturnType<typeof bound>>;
  let names: Awaited<ReturnType<typeof bound>>;
  let deployment: Deployment;

  before(async () => {
    echo = await bound((_, datagram, reply) => reply(Buffer.concat([Buffer.from('echo '), datagram])));
    names = await bound((_, datagram, reply) => reply(resolved(datagram)));
    const common = { scheme: 'udp', addresses: ['127.0.0.0/8'] };
    deployment = await deploy({
      rules: [
        { name: 'echo', hosts: 'echo.test', ports: [echo.port], ...common },
        { name: 'names', hosts: 'dns.test', ports: [names.port], dns: { names: '*.example.com' }, ...common },
      ],
      hosts: { 'echo.test': '127.0.0.1', 'dns.test': '127.0.0.1', 'other.test': '127.0.0.1' },
    });
  });
  after(async () => {
    await deployment?.[Symbol.asyncDispose]();
    echo?.socket.close();
    names?.socket.close();
  });

  for (const runtime of ['node', 'bun'] as const)
    test(`a port of the container leads to the host of the rule, and queries are judged, under ${runtime}`, async () => {
      const [toEcho, toNames, toOther] = [await freePort(), await freePort(), await freePort()];
      const more = [
        ['--udp', `${toEcho}=echo.test:${echo.port}`],
        ['--udp', `${toNames}=dns.test:${names.port}`],
        ['--udp', `${toOther}=other.test:${echo.port}`],
      ].flat();
      await using agent = await deployment.startAgent({ runtime, more });
      assert.deepEqual(await Promise.all([ask(toEcho, 'one'), ask(toEcho, 'two')]), ['echo one', 'echo two']);
      const resolver = new Resolver({ timeout: 5_000, tries: 4 });
      resolver.setServers([`127.0.0.1:${toNames}`]);
      assert.deepEqual(await resolver.resolve4('www.example.com'), ['192.0.2.7']);
      await assert.rejects(resolver.resolve4('secret.example.org'), { code: 'EREFUSED' });
      const socket = createSocket('udp4');
      const refused = async (): Promise<void> => {
        while (!/datagrams to other\.test:\d+ are dropped/.test(agent.said())) {
          socket.send('x', toOther, '127.0.0.1');
          await new Promise((done) => setTimeout(done, 50));
        }
      };
      await refused();
      socket.close();
    });

  test('the audit has one event for each flow, with what passed and which names were refused', async () => {
    const events = (await deployment.audit()).filter(({ scheme }) => scheme === 'udp');
    const of = (host: string) => events.filter((event) => event['host'] === host);
    assert.ok(of('echo.test').length >= 4 && of('other.test').length >= 2, JSON.stringify(events));
    assert.ok(
      of('other.test').every(({ errorCode, outcome }) => errorCode === 'policy_denied' && outcome !== 'ok'),
    );
    const refused = of('dns.test').map(({ details }) => JSON.stringify(details));
    assert.ok(
      refused.some((text) => text.includes('"refusedNames":["secret.example.org"]')),
      JSON.stringify(refused),
    );
  });

  test('in a jail with a network of its own, the port is inside', { skip: captureObstacle() }, async () => {
    const port = await freePort();
    const token = await deployment.issueToken();
    const script = `
      const socket = require('node:dgram').createSocket('udp4');
      socket.on('message', (datagram) => { console.log(String(datagram)); process.exit(0); });
      setInterval(() => socket.send('inside', ${port}, '127.0.0.1'), 200);
    `;
    const args = [...deployment.agentOptions(token), '--udp', `${port}=echo.test:${echo.port}`];
    const { code, stdout, stderr } = await runCommand(
      launcher,
      ['run', ...args, '--', process.execPath, '-e', script],
      {
        env: { ...process.env, XDG_STATE_HOME: deployment.directory },
      },
    );
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^echo inside$/m);
  });
});
