// A proxy script that is hostile, or broken, behind the listener for clients without an agent: what it does to one host ends there.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import { embeddedConfig } from '../../src/gateway/config/config.ts';
import { ask, basic, openProxyScene, type ProxyScene } from '../gateway/proxy/proxy-scene.ts';
import { httpOrigin } from '../support/origin.ts';
import { socksParent } from '../support/socks-parent.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const skip = process.env['TEST_WAYS'] === undefined ? '`npm run test:ways` runs it' : false;

/** What it does to a host, and how the audit names it. */
const hostile: Readonly<Record<string, readonly [body: string, why: RegExp]>> = {
  loop: ['while (true) {}', /pacTimeoutMs/],
  expression: ['return /^(a+)+$/.test("a".repeat(40) + "b") ? "" : "DIRECT";', /pacTimeoutMs/],
  memory: ['var a = []; while (true) a.push(new Array(1000).fill(1.5));', /memory/],
  stack: ['return (function f() { return f(); })();', /stack/],
  names: [
    'for (var i = 0; i < 1000; i += 1) dnsResolve("n" + i + ".invalid");',
    /pacLookupsMax|pacTimeoutMs/,
  ],
  throws: ['throw new Error("no");', /no/],
  long: ['return "PROXY a.test:1;".repeat(1e5);', /pacResultCharactersMax|memory/],
  elsewhere: [
    'return "SOCKS5 127.0.0.1:TRAP; PROXY 127.0.0.1:TRAP; HTTPS 127.0.0.1:TRAP";',
    /permits nothing/,
  ],
  straight: ['return "DIRECT";', /permits nothing/],
  host: ['return "PROXY " + (typeof process) + (typeof require) + ":1";', /undefinedundefined/],
};

function scriptOf(parent: number, trap: number): string {
  const cases = Object.entries(hostile).map(
    ([name, [body]]) => `if (host === '${name}.test') { ${body.replaceAll('TRAP', String(trap))} }`,
  );
  return `function FindProxyForURL(url, host) { ${cases.join('\n')}\nreturn 'SOCKS5 127.0.0.1:${parent}'; }`;
}

describe('a hostile proxy script', { skip }, () => {
  test('ends at the host that it is hostile to, leads nowhere else, and holds up no other session', async () => {
    await using directory = await temporaryDirectory();
    await using origin = await httpOrigin();
    await using parent = await socksParent(origin.port, undefined);
    const led: string[] = [];
    await using stack = new AsyncDisposableStack();
    const trap = createServer((socket) => {
      led.push(String(socket.remotePort));
      socket.destroy();
    });
    trap.listen(0, '127.0.0.1');
    await once(trap, 'listening');
    stack.defer(() => void trap.close());
    const file = join(directory.path, 'hostile.pac');
    await writeFile(file, scriptOf(parent.port, (trap.address() as AddressInfo).port));
    const base = embeddedConfig(directory.path);
    const proxies = [{ url: `socks5h://127.0.0.1:${parent.port}`, noProxy: [], ca: [] }];
    const names = [...Object.keys(hostile), 'good', 'fine'];
    await using scene = await openProxyScene({
      rules: [{ name: 'all', hosts: names.map((name) => `${name}.test`), ports: [80], scheme: 'http' }],
      // Long enough for a thread of a busy machine, and short for a loop.
      limits: { ...base.limits, pacTimeoutMs: 3_000, connectTimeoutMs: 120_000 },
      upstream: {
        ...base.upstream,
        exit: 'pac',
        exits: { pac: { pac: { file, proxies, direct: false }, from: [] } },
      },
    });
    const honest = scene.token({ subject: 'honest' });
    const other = scene.token({ subject: 'other' });
    const statuses = await Promise.all(
      Object.keys(hostile).map((name) => statusOf(scene, other, `${name}.test`)),
    );
    assert.deepEqual(new Set(statuses), new Set([502]));
    // While the script loops for another one.
    const looping = statusOf(scene, other, 'loop.test');
    assert.equal(await statusOf(scene, honest, 'good.test'), 200);
    assert.equal(await statusOf(scene, honest, 'fine.test'), 200);
    assert.equal(await looping, 502);
    assert.equal(await statusOf(scene, other, 'good.test'), 200);
    assert.deepEqual(led, []);
    assert.ok(
      parent.seen.every(({ target }) => /^(good|fine)\.test:80$/.test(target)),
      JSON.stringify(parent.seen),
    );
    const events = await scene.events();
    for (const [name, [, why]] of Object.entries(hostile)) {
      const event = events.find(({ host }) => host === `${name}.test`);
      assert.equal(event?.errorCode, 'exit_unavailable', name);
      assert.match(JSON.stringify(event?.details), why, name);
    }
  });
});

async function statusOf(scene: ProxyScene, token: string, host: string): Promise<number> {
  const socket = await scene.connect();
  assert.match(await ask(socket, `${host}:80`, basic(token)), /^HTTP\/1\.1 200 /);
  socket.write(`GET /hello HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  return Number((await text(socket)).slice(9, 12));
}
