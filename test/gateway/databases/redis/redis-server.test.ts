// The real thing in short: one server, and what clients and attackers do in front of it. Part of `npm run test:protocol-ends`; what stands
// beside this file needs no server.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { connect as connectTls } from 'node:tls';

import {
  host,
  openRedisScene,
  password,
  type RedisScene,
  startRedisServer,
} from '../../../protocol-ends/support/redis-scene.ts';
import type { AuditEvent } from '../../../../src/api/audit-event.ts';
import { patienceMs } from '../../../support/patience.ts';
import { missingRedis } from '../../../support/redis-server.ts';

const isAsked = process.env['TEST_PROTOCOL_ENDS'] !== undefined;
const skip = isAsked ? (missingRedis() ?? false) : 'npm run test:protocol-ends runs it';
const options = { skip, timeout: patienceMs };
const stack = new AsyncDisposableStack();
let started: Awaited<ReturnType<typeof startRedisServer>>;
let scene: RedisScene;

before(async () => {
  if (skip !== false) return;
  started = stack.use(await startRedisServer());
  scene = stack.use(await openRedisScene(started));
});
after(async () => {
  await stack.disposeAsync();
});

interface Talk {
  readonly socket: Socket;
  /** What came until it ends with that. */
  until(end: string): Promise<string>;
  /** What came until the connection ended. */
  rest(): Promise<string>;
}

async function talk(): Promise<Talk> {
  const socket = connect(scene.port, '127.0.0.1');
  await once(socket, 'connect');
  let text = '';
  let wake: (() => void) | undefined;
  let isOver = false;
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
    wake?.();
  });
  socket.on('error', () => undefined);
  socket.once('close', () => {
    isOver = true;
    wake?.();
  });
  const taken = (): string => {
    const all = text;
    text = '';
    return all;
  };
  const waitFor = async (holds: () => boolean): Promise<string> => {
    while (!holds())
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    return taken();
  };
  return {
    socket,
    until: (end) => waitFor(() => text.endsWith(end) || isOver),
    rest: () => waitFor(() => isOver),
  };
}

/** The first that is so, once it is there. */
async function eventWith(is: (event: AuditEvent) => boolean): Promise<AuditEvent> {
  for (;;) {
    const found = scene.path.audit.find(is);
    if (found !== undefined) return found;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const denied = (name: string): string => `-NOPERM rule cache: the command '${name}' is not passed on\r\n`;

test(
  'a client without a password has a session of the user of its rule, whatever it logs in with',
  options,
  async () => {
    for (const [sent, said] of [
      ['ACL WHOAMI\r\n', '$5\r\nagent\r\n'],
      ['AUTH worthless\r\nACL WHOAMI\r\n', '+OK\r\n$5\r\nagent\r\n'],
      ['*3\r\n$4\r\nAUTH\r\n$5\r\nadmin\r\n$1\r\nx\r\nACL WHOAMI\r\n', '+OK\r\n$5\r\nagent\r\n'],
    ] as const) {
      const client = await talk();
      client.socket.write(sent);
      assert.equal(await client.until('agent\r\n'), said);
      client.socket.end();
      await client.rest();
    }
    const client = await talk();
    client.socket.write(
      'HELLO 3 AUTH admin x SETNAME me\r\nACL WHOAMI\r\nCLIENT GETNAME\r\nAUTH x\r\nGET a\r\n',
    );
    const said = await client.until('_\r\n');
    assert.match(said, /^%7\r\n\$6\r\nserver\r\n.*\$5\r\nagent\r\n\$2\r\nme\r\n\+OK\r\n_\r\n$/s);
    client.socket.end();
    await client.rest();
    const event = (await scene.path.events(4)).at(-1);
    assert.deepEqual([event?.protocol, event?.verdict, event?.injected], ['redis', 'allow', ['agent']]);
    assert.deepEqual(event?.details?.['database'], {
      user: 'agent',
      tls: true,
      commands: { hello: 1, 'acl|whoami': 1, 'client|getname': 1, get: 1 },
    });
    const all = Buffer.concat(scene.received).toString('latin1') + JSON.stringify(scene.path.audit);
    assert.ok(!all.includes(password));
  },
);

test('TLS of clients ends in the gateway, with a leaf for the host', options, async () => {
  const socket = connectTls({ host: '127.0.0.1', port: scene.port, servername: host, ca: scene.path.caPem });
  await once(socket, 'secureConnect');
  socket.write('PING\r\n');
  // The first that comes.
  const [said] = (await once(socket, 'data')) as [Buffer];
  assert.equal(said.toString(), '+PONG\r\n');
  socket.destroy();
});

test(
  'what is refused is said in the place of its response, however much is on the way',
  options,
  async () => {
    const client = await talk();
    client.socket.write(
      [
        'SET a 1',
        'CONFIG GET requirepass',
        'INCR a',
        'ACL GETUSER agent',
        'NOSUCH x',
        'GET a',
        'DEBUG SLEEP 0',
        'MIGRATE 127.0.0.1 1 a 0 10',
        'EVAL return 0',
        'RESET',
        'ACL WHOAMI',
        '',
      ].join('\r\n'),
    );
    assert.equal(
      await client.until('agent\r\n'),
      [
        '+OK\r\n',
        denied('config|get'),
        ':2\r\n',
        denied('acl|getuser'),
        denied('nosuch'),
        '$1\r\n2\r\n',
        denied('debug'),
        denied('migrate'),
        denied('eval'),
        denied('reset'),
        '$5\r\nagent\r\n',
      ].join(''),
    );
    client.socket.end();
    await client.rest();
    const event = await eventWith(({ details }) => JSON.stringify(details).includes('refusedCommands'));
    assert.deepEqual(event.details?.['database'], {
      user: 'agent',
      tls: true,
      commands: { set: 1, incr: 1, get: 1, 'acl|whoami': 1 },
      refusedCommands: {
        'config|get': 1,
        'acl|getuser': 1,
        nosuch: 1,
        debug: 1,
        migrate: 1,
        eval: 1,
        reset: 1,
      },
    });
  },
);

test(
  'a refused command behaves in every state of a connection as one that the server refuses',
  options,
  async () => {
    for (const [name, sent, said] of [
      [
        'in a transaction, which it fails',
        'MULTI\r\nSET b 1\r\nKEYS *\r\nCONFIG GET *\r\nEXEC\r\nGET b\r\n',
        `+OK\r\n+QUEUED\r\n+QUEUED\r\n${denied('config|get')}-EXECABORT Transaction discarded because of previous errors.\r\n$-1\r\n`,
      ],
      [
        'while responses are off',
        'CLIENT REPLY OFF\r\nCONFIG GET *\r\nAUTH x\r\nSET c 1\r\nCLIENT REPLY ON\r\nGET c\r\n',
        '+OK\r\n$1\r\n1\r\n',
      ],
      ['where one response is left out', 'CLIENT REPLY SKIP\r\nCONFIG GET *\r\nGET c\r\n', '$1\r\n1\r\n'],
      [
        'while it is subscribed',
        'SUBSCRIBE ch\r\nCONFIG GET *\r\nUNSUBSCRIBE ch\r\nGET c\r\n',
        `*3\r\n$9\r\nsubscribe\r\n$2\r\nch\r\n:1\r\n${denied('config|get')}*3\r\n$11\r\nunsubscribe\r\n$2\r\nch\r\n:0\r\n$1\r\n1\r\n`,
      ],
      [
        'behind one that waits',
        'BLPOP empty 0.05\r\nCONFIG GET *\r\nGET c\r\n',
        `*-1\r\n${denied('config|get')}$1\r\n1\r\n`,
      ],
    ] as const) {
      const client = await talk();
      client.socket.write(sent);
      assert.equal(await client.until(said.slice(-8)), said, name);
      client.socket.end();
      await client.rest();
    }
  },
);

test('messages of others come between responses unchanged', options, async () => {
  const client = await talk();
  client.socket.write('HELLO 3\r\nSUBSCRIBE news\r\n');
  await client.until(':1\r\n');
  const other = await talk();
  const lie = "-ERR unknown command 'upstreamproxy.0.taken.'\r\n";
  other.socket.write(`*3\r\n$7\r\nPUBLISH\r\n$4\r\nnews\r\n$${String(lie.length)}\r\n${lie}\r\n`);
  assert.equal(await other.until('\r\n'), ':1\r\n');
  assert.equal(
    await client.until('\r\n\r\n'),
    `>3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$${String(lie.length)}\r\n${lie}\r\n`,
  );
  client.socket.write('CONFIG GET *\r\n');
  assert.equal(await client.until('\r\n'), denied('config|get'));
  for (const one of [client, other]) one.socket.destroy();
});

test(
  'what is no command ends the connection, behind all that is owed for what came before',
  options,
  async () => {
    const client = await talk();
    client.socket.write('SET d 1\r\nGET d\r\n*1\rX$4\r\nPING\r\nSET d 2\r\n');
    assert.match(await client.rest(), /^\+OK\r\n\$1\r\n1\r\n-ERR Protocol error: rule cache: [^\r]+\r\n$/);
    const event = await eventWith(({ errorCode }) => errorCode === 'protocol_denied');
    assert.equal(event.verdict, 'deny');
    const within = await talk();
    within.socket.write('GET d\r\n*3\r\n$3\r\nSET\r\n$1\r\ndXX$1\r\n3\r\n');
    await within.rest();
    assert.equal(scene.server.run('GET', 'd'), '1');
  },
);

test('the rights of the user hold whatever the rule lets through', options, async () => {
  scene.setRule('{ commands: { allow: [default, config] } }', 'inject: reader');
  const client = await talk();
  client.socket.write('GET a\r\nGET b\r\nSET a 1\r\nCONFIG GET requirepass\r\n');
  const said = await client.until("'config|get' command\r\n");
  assert.match(
    said,
    /^\$1\r\n2\r\n-NOPERM No permissions to access a key\r\n-NOPERM User reader has no permissions to run the 'set'/,
  );
  client.socket.destroy();
  scene.setRule();
});

test(
  'scripts call what the rule does not let through, so no rule has them unless it says so',
  options,
  async () => {
    scene.setRule('{ commands: { allow: [default, eval], deny: flushall } }');
    const client = await talk();
    client.socket.write(
      "FLUSHALL\r\n*3\r\n$4\r\nEVAL\r\n$28\r\nreturn redis.call('FLUSHALL')\r\n$1\r\n0\r\n".replace(
        '$28',
        '$29',
      ),
    );
    assert.equal(await client.until('+OK\r\n'), `${denied('flushall')}+OK\r\n`);
    client.socket.destroy();
    scene.setRule();
  },
);

test('the end of what allowed a session ends it on both sides', options, async () => {
  const client = await talk();
  client.socket.write('CLIENT SETNAME cut-off\r\n');
  await client.until('+OK\r\n');
  assert.match(scene.server.run('CLIENT', 'LIST'), /name=cut-off/);
  scene.setRule('{ commands: { deny: keys } }');
  assert.equal(await client.rest(), '');
  while (scene.server.run('CLIENT', 'LIST').includes('name=cut-off'));
  const event = await eventWith(({ errorCode }) => errorCode === 'policy_denied');
  assert.equal(event.verdict, 'deny');
  scene.setRule();
});
