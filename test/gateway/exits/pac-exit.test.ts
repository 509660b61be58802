import assert from 'node:assert/strict';
import { test } from 'node:test';

import { PacExit } from '../../../src/gateway/exits/pac-exit.ts';
import { pacKey, parsePacResult } from '../../../src/gateway/exits/pac-result.ts';
import type { PacReading } from '../../../src/gateway/exits/pac-messages.ts';
import { ProxyChain } from '../../../src/net/proxy-chain.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';

const chain = new ProxyChain({ proxy: { host: 'one.test', port: 3128 }, noProxy: [], limits: defaultLimits });

const to = (host: string, scheme: 'http' | 'https' | 'tcp' = 'https', port = 443) => ({ scheme, host, port });

function exitOf(
  say: (host: string) => PacReading,
  { direct = false, nowMs = (): number => 0 } = {},
): { readonly exit: PacExit; readonly asked: string[] } {
  const asked: string[] = [];
  const script = {
    find: (_who: string, { url, host }: { readonly url: string; readonly host: string }) => {
      asked.push(url);
      return Promise.resolve(say(host));
    },
  };
  const proxies = new Map([[pacKey('http', 'one.test', 3128), chain]]);
  return { exit: new PacExit({ name: 'pac', script, proxies, direct, nowMs }), asked };
}

const found = (text: string): PacReading => ({ kind: 'found', text });

test('what scripts say is read as browsers read it', () => {
  const unknown = (text: string) => ({ kind: 'unknown', text });
  const proxy = (key: string) => ({ kind: 'proxy', key });
  for (const [text, expected] of [
    ['', [{ kind: 'direct' }]],
    [' ; ;', [{ kind: 'direct' }]],
    ['DIRECT', [{ kind: 'direct' }]],
    ['proxy One.Test:3128;direct', [proxy('http one.test:3128'), { kind: 'direct' }]],
    ['PROXY one.test', [proxy('http one.test:80')]],
    ['HTTPS one.test', [proxy('https one.test:443')]],
    ['SOCKS5 [::1]:1080', [proxy('socks5 ::1:1080')]],
    ['SOCKS5 one.test', [proxy('socks5 one.test:1080')]],
    // Of browsers some take SOCKS for version 4.
    ['SOCKS one.test:1080', [unknown('SOCKS one.test:1080')]],
    ['PROXY one.test:3128 extra', [unknown('PROXY one.test:3128 extra')]],
    ['PROXY user:word@one.test:3128', [unknown('PROXY user:word@one.test:3128')]],
    ['PROXY one.test:99999', [unknown('PROXY one.test:99999')]],
    ['PROXY', [unknown('PROXY')]],
    ['DIRECT now', [unknown('DIRECT now')]],
    ['constructor one.test', [unknown('constructor one.test')]],
  ] as const)
    assert.deepEqual(parsePacResult(text), expected, text);
  assert.equal(pacKey('socks5h', 'a.test', 1), pacKey('socks5', 'a.test', 1));
});

test('only what the configuration lists is a way, in the order of the script', async () => {
  const said = 'PROXY other.test:1; PROXY one.test:3128; DIRECT';
  const strict = exitOf(() => found(said));
  assert.deepEqual(await strict.exit.hops(to('a.test'), { principalId: 'p' }), [chain]);
  const open = exitOf(() => found(said), { direct: true });
  assert.deepEqual(await open.exit.hops(to('a.test'), { principalId: 'p' }), [chain, 'direct']);
  for (const text of ['DIRECT', '', 'PROXY other.test:1', 'SOCKS one.test:3128'])
    await assert.rejects(
      exitOf(() => found(text)).exit.hops(to('a.test'), { principalId: 'p' }),
      (error: ProxyError) =>
        error.code === 'exit_unavailable' && /permits nothing/.test(error.operatorDetail ?? ''),
      text,
    );
  const many = exitOf(() => found('PROXY one.test:3128;'.repeat(500)));
  assert.equal((await many.exit.hops(to('a.test'), { principalId: 'p' })).length, defaultLimits.pacHopsMax);
});

test('a script is told of scheme, host and unusual port, once a minute; of failures after a shorter while', async () => {
  let nowMs = 0;
  const { exit, asked } = exitOf(
    (host) => (host === 'bad.test' ? { kind: 'failed', reason: 'it loops' } : found('PROXY one.test:3128')),
    { nowMs: () => nowMs },
  );
  const ask = (one: ReturnType<typeof to>): Promise<unknown> =>
    exit.hops(one, { principalId: 'p' }).catch((error: unknown) => error);
  await Promise.all([ask(to('a.test')), ask(to('a.test'))]);
  await ask(to('a.test', 'http', 80));
  await ask(to('a.test', 'tcp', 22));
  await ask(to('::1', 'https', 8443));
  assert.deepEqual(asked, ['https://a.test/', 'http://a.test/', 'https://a.test:22/', 'https://[::1]:8443/']);
  asked.length = 0;
  nowMs = defaultLimits.pacResultAgeMsMax - 1;
  await ask(to('a.test'));
  assert.equal(asked.length, 0);
  nowMs += 1;
  await ask(to('a.test'));
  assert.deepEqual(asked, ['https://a.test/']);
  assert.match(String(((await ask(to('bad.test'))) as ProxyError).operatorDetail), /it loops/);
  await ask(to('bad.test'));
  nowMs += defaultLimits.pacResultAgeMsMax / 10;
  await ask(to('bad.test'));
  assert.equal(asked.filter((url) => url.includes('bad')).length, 2);
});

test('of more hosts than are kept, the oldest is asked again', async () => {
  const { exit, asked } = exitOf(() => found('PROXY one.test:3128'));
  for (let i = 0; i <= defaultLimits.pacResultsMax; i += 1)
    await exit.hops(to(`h${i}.test`), { principalId: 'p' });
  asked.length = 0;
  await exit.hops(to('h1.test'), { principalId: 'p' });
  assert.equal(asked.length, 0);
  await exit.hops(to('h0.test'), { principalId: 'p' });
  assert.deepEqual(asked, ['https://h0.test/']);
});

test('who goes away does not wait for the script', async () => {
  const script = { find: () => Promise.withResolvers<PacReading>().promise };
  const exit = new PacExit({ name: 'pac', script, proxies: new Map(), direct: true });
  const gone = new AbortController();
  const asked = exit.hops(to('a.test'), { principalId: 'p', signal: gone.signal });
  gone.abort();
  await assert.rejects(asked, { code: 'cancelled' });
});

test('nobody waits for a question of another principal, or has what came of it', async () => {
  const slow = Promise.withResolvers<PacReading>();
  const script = {
    find: (who: string) => (who === 'slow' ? slow.promise : Promise.resolve(found('PROXY one.test:3128'))),
  };
  const proxies = new Map([[pacKey('http', 'one.test', 3128), chain]]);
  const exit = new PacExit({ name: 'pac', script, proxies, direct: true, nowMs: () => 0 });
  const first = exit.hops(to('a.test'), { principalId: 'slow' });
  assert.deepEqual(await exit.hops(to('a.test'), { principalId: 'other' }), [chain]);
  slow.resolve(found('DIRECT'));
  assert.deepEqual(await first, ['direct']);
  assert.deepEqual(await exit.hops(to('a.test'), { principalId: 'other' }), [chain]);
});

test('a question for which the script has no time is asked again', async () => {
  let asked = 0;
  const script = {
    find: () => {
      asked += 1;
      return asked === 1
        ? Promise.reject(new ProxyError('timeout', 'no turn'))
        : Promise.resolve(found('DIRECT'));
    },
  };
  const exit = new PacExit({ name: 'pac', script, proxies: new Map(), direct: true });
  await assert.rejects(exit.hops(to('a.test'), { principalId: 'p' }), { code: 'timeout' });
  assert.deepEqual(await exit.hops(to('a.test'), { principalId: 'p' }), ['direct']);
});
