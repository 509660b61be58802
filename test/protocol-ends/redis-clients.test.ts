// Real clients of Redis in front of a real server, with TLS of clients and of the server and without.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';

import { defaultRedisCommands } from '../../src/policy/redis-commands.ts';
import { patienceMs } from '../support/patience.ts';
import { missingRedis } from '../support/redis-server.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../support/temporary-directory.ts';
import { host, openRedisScene, password, type RedisScene, startRedisServer } from './support/redis-scene.ts';

const skip =
  process.env['TEST_PROTOCOL_ENDS'] === undefined
    ? '`npm run test:protocol-ends` runs it'
    : (missingRedis() ?? false);
const options = { skip, timeout: 4 * patienceMs };
const tools = process.env['TEST_PROTOCOL_END_TOOLS'];
const withTools = {
  ...options,
  skip: skip !== false ? skip : tools === undefined ? 'the clients were not fetched' : false,
};

const stack = new AsyncDisposableStack();
let scene: RedisScene;
let plain: RedisScene;
let folder: TemporaryDirectory;

before(async () => {
  if (skip !== false) return;
  folder = stack.use(await temporaryDirectory());
  scene = stack.use(await openRedisScene(stack.use(await startRedisServer())));
  plain = stack.use(await openRedisScene(stack.use(await startRedisServer({ withoutTls: true }))));
  plain.setRule('{ dangerouslyAllowPlaintext: true }');
  writeFileSync(join(folder.path, 'ca.pem'), `${scene.path.caPem}${plain.path.caPem}`);
});
after(async () => {
  await stack.disposeAsync();
});

async function run(program: string, args: readonly string[], input = ''): Promise<string> {
  const child = spawn(program, args, {
    cwd: folder.path,
    env: { PATH: process.env['PATH'], HOME: folder.path, NODE_EXTRA_CA_CERTS: join(folder.path, 'ca.pem') },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.end(input);
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return `${out}${err}`;
}

const redisCli = (of: RedisScene, args: readonly string[], input?: string): Promise<string> =>
  run('redis-cli', ['-h', '127.0.0.1', '-p', String(of.port), ...args], input);

test(
  'redis-cli works with RESP2 and RESP3, with a password and without, over TLS and without',
  options,
  async () => {
    const tls = ['--tls', '--sni', host, '--cacert', join(folder.path, 'ca.pem')];
    for (const one of [scene, plain])
      for (const more of [
        [],
        ['-2'],
        ['-3'],
        ['-a', 'worthless', '--no-auth-warning'],
        tls,
        ['-3', ...tls],
      ]) {
        assert.equal(await redisCli(one, [...more, 'ACL', 'WHOAMI']), 'agent\n', more.join(' '));
        assert.match(
          await redisCli(one, [...more, 'CONFIG', 'GET', 'requirepass']),
          /^(?:\(error\) )?NOPERM rule cache: the command 'config\|get' is not passed on/,
        );
      }
    assert.match(
      await redisCli(scene, ['-3', '--user', 'a', '--pass', 'b', '--no-auth-warning', 'HELLO']),
      /proto/,
    );
  },
);

test(
  'what redis-cli sends in one go comes back in order, and a dump of the rule is none',
  options,
  async () => {
    const lines = Array.from(
      { length: 20_000 },
      (_, i) => `SET key:${String(i)} ${'x'.repeat(1 + (i % 50))}\r\n`,
    );
    const piped = await redisCli(scene, ['--pipe'], lines.join(''));
    assert.match(piped, /errors: 0, replies: 20000/);
    assert.equal(await redisCli(scene, ['DBSIZE']), '20000\n');
    const refused = await redisCli(scene, ['--pipe'], 'SET a 1\r\nFLUSHALL\r\nSET b 1\r\n');
    assert.match(refused, /errors: 1, replies: 3/);
    assert.match(await redisCli(scene, ['--rdb', join(folder.path, 'dump.rdb')]), /NOPERM|not passed on/);
    assert.match(await redisCli(scene, ['MONITOR']), /not passed on/);
  },
);

test('a value of 100 MiB goes through, and the gateway does not hold it', options, async () => {
  const bytes = 100 * 1024 * 1024;
  writeFileSync(join(folder.path, 'value'), Buffer.alloc(bytes, 'v'));
  const before = process.memoryUsage.rss();
  let most = before;
  const timer = setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss());
  }, 20);
  // What was sent by the gateway is kept by the scene, so the value only goes one way.
  const port = String(scene.port);
  const out = await run('sh', [
    '-c',
    `redis-cli -h 127.0.0.1 -p ${port} -x SET big < value; redis-cli -h 127.0.0.1 -p ${port} STRLEN big`,
  ]);
  clearInterval(timer);
  assert.equal(out, `OK\n${String(bytes)}\n`);
  assert.ok(most - before < 70 * 1024 * 1024, `${String(Math.round((most - before) / 2 ** 20))} MiB more`);
  await redisCli(scene, ['DEL', 'big']);
});

test(
  'the password is shown to no server that is not trusted, and to none without TLS unless the rule says so',
  options,
  async () => {
    await using other = await openRedisScene({ server: scene.server, caPem: plain.path.caPem });
    assert.match(await redisCli(other, ['PING']), /rule cache: .*cache\.test/);
    assert.equal(other.path.audit.at(-1)?.errorCode, 'origin_untrusted');
    plain.setRule();
    assert.match(await redisCli(plain, ['PING']), /rule cache: /);
    assert.notEqual(plain.path.audit.at(-1)?.errorCode, undefined);
    plain.setRule('{ dangerouslyAllowPlaintext: true }');
    scene.setRule('{}', 'inject: wrong');
    const said = await redisCli(scene, ['PING']);
    assert.match(
      said,
      /NOPERM rule cache: cache\.test does not take the log-in of the gateway \(WRONGPASS\)/,
    );
    assert.match(JSON.stringify(scene.path.audit.at(-1)), /invalid username-password pair/);
    scene.setRule();
  },
);

/** A program with the packages that came from npm. */
async function node(source: string): Promise<string> {
  const file = join(tools ?? folder.path, `client-${String(process.pid)}.mjs`);
  writeFileSync(file, source);
  return await run(process.execPath, [file]);
}

test(
  'the package redis works, with commands at once, a transaction, messages and a pool',
  withTools,
  async () => {
    for (const [url, more] of [
      [`redis://127.0.0.1:${String(scene.port)}`, ''],
      [`redis://any:worthless@127.0.0.1:${String(scene.port)}`, ', RESP: 3'],
      [`redis://127.0.0.1:${String(scene.port)}`, ', RESP: 2'],
      [
        `rediss://127.0.0.1:${String(scene.port)}`,
        `, socket: { servername: '${host}', checkServerIdentity: () => undefined }`,
      ],
    ] as const) {
      const out = await node(`
      import { createClient } from 'redis';
      const client = createClient({ url: '${url}'${more} });
      client.on('error', (error) => { console.log(error.message); process.exit(1); });
      await client.connect();
      await client.set('n', '1');
      const many = await Promise.all(Array.from({ length: 2000 }, () => client.incr('n')));
      const [set, refused, got] = await Promise.allSettled([client.set('x', '1'), client.sendCommand(['CONFIG', 'GET', '*']), client.get('x')]);
      const [doubled] = await client.multi().incrBy('n', 2).exec();
      const other = client.duplicate();
      await other.connect();
      const heard = new Promise((resolve) => other.subscribe('news', resolve).then(() => client.publish('news', 'hello')));
      console.log(JSON.stringify([many.at(-1), set.value, refused.reason?.message, got.value, doubled, await heard, await client.sendCommand(['ACL', 'WHOAMI'])]));
      await client.close(); await other.close();
    `);
      assert.deepEqual(JSON.parse(out), [
        2001,
        'OK',
        "NOPERM rule cache: the command 'config|get' is not passed on",
        '1',
        2003,
        'hello',
        'agent',
      ]);
    }
  },
);

test('the package ioredis works, and a rule says which scripts may run', withTools, async () => {
  const out = async (): Promise<unknown> =>
    JSON.parse(
      await node(`
      import { Redis } from 'ioredis';
      const client = new Redis({ host: '127.0.0.1', port: ${String(scene.port)}, username: 'any', password: 'worthless' });
      client.defineCommand('twice', { numberOfKeys: 1, lua: 'return redis.call("get", KEYS[1]) * 2' });
      await client.set('m', '21');
      const twice = await client.twice('m').catch((error) => error.message);
      const piped = await client.pipeline().get('m').call('KEYS', 'nothing*').exec();
      console.log(JSON.stringify([twice, piped.map(([error, value]) => error?.message ?? value), await client.info('server').then((text) => text.includes('redis_version'))]));
      client.disconnect();
    `),
    );
  const refused = "NOPERM rule cache: the command 'eval' is not passed on";
  assert.deepEqual(await out(), [refused, ['21', []], true]);
  scene.setRule('{ commands: { allow: [default, evalsha, eval], deny: keys } }');
  assert.deepEqual(await out(), [42, ['21', "NOPERM rule cache: the command 'keys' is not passed on"], true]);
  scene.setRule();
});

const redisPy = globSync('debian/usr/lib/python3/dist-packages', { cwd: tools ?? '/nowhere' })[0];

test(
  'redis-py works over TLS and without, with a pipeline and messages',
  {
    ...withTools,
    skip:
      withTools.skip !== false ? withTools.skip : redisPy === undefined ? 'redis-py was not fetched' : false,
  },
  async () => {
    const program = `
import sys, redis
port, ca = sys.argv[1:]
tls = dict(ssl=True, ssl_ca_certs=ca, ssl_check_hostname=False)
for more in (dict(), dict(protocol=3), dict(username='any', password='worthless'), tls, dict(protocol=3, **tls)):
    client = redis.Redis(host='127.0.0.1', port=int(port), decode_responses=True, **more)
    client.set('n', 1)
    with client.pipeline() as pipe:
        for _ in range(100):
            pipe.incr('n')
        assert pipe.execute()[-1] == 101
    try:
        client.config_get('*')
        raise AssertionError('it was let through')
    except redis.exceptions.NoPermissionError as error:
        assert 'rule cache' in str(error), error
    heard = client.pubsub(ignore_subscribe_messages=True)
    heard.subscribe('news')
    heard.get_message(timeout=5)
    client.publish('news', 'hello')
    message = None
    while message is None:
        message = heard.get_message(timeout=5)
    assert message['data'] == 'hello', message
    print(client.acl_whoami())
`;
    const file = join(folder.path, 'client.py');
    writeFileSync(file, program);
    const path = join(tools ?? '', redisPy ?? '');
    const ca = join(folder.path, 'ca.pem');
    const out = await run('env', [`PYTHONPATH=${path}`, '/usr/bin/python3', file, String(scene.port), ca]);
    assert.equal(out, 'agent\n'.repeat(5));
  },
);

test('the list of commands is of those that Redis has, and of the dangerous ones it has few', options, () => {
  const known = new Set(
    scene.server
      .run('COMMAND', 'LIST')
      .split('\n')
      .map((name) => name.toLowerCase()),
  );
  const unknown = [...defaultRedisCommands].filter((name) => !known.has(name));
  // Another version has others.
  if (scene.server.run('INFO', 'server').includes('redis_version:8.')) assert.deepEqual(unknown, []);
  const of = (category: string): readonly string[] =>
    scene.server
      .run('ACL', 'CAT', category)
      .split('\n')
      .filter((name) => defaultRedisCommands.has(name) || defaultRedisCommands.has(name.split('|')[0] ?? ''))
      .toSorted();
  assert.deepEqual(of('dangerous'), [
    'cluster|replicas',
    'cluster|slaves',
    'info',
    'keys',
    'role',
    'sort',
    'sort_ro',
  ]);
  assert.deepEqual(of('admin'), ['cluster|replicas', 'cluster|slaves', 'role']);
  assert.deepEqual(of('scripting'), []);
});

test('no client got the password', options, () => {
  for (const one of [scene, plain]) {
    const all = Buffer.concat(one.received).toString('latin1') + JSON.stringify(one.path.audit);
    assert.ok(!all.includes(password));
  }
  assert.ok(!existsSync(join(folder.path, 'dump.rdb')));
});
