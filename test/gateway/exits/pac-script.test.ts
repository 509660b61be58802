import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { PacReading } from '../../../src/gateway/exits/pac-messages.ts';
import { PacScript } from '../../../src/gateway/exits/pac-script.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';

const patient = { ...defaultLimits, pacTimeoutMs: 60_000, connectTimeoutMs: 60_000, pacSlowMs: 60_000 };

function open(script: string, more: Partial<ConstructorParameters<typeof PacScript>[0]> = {}): PacScript {
  return new PacScript({
    script,
    limits: patient,
    resolve: (host) => Promise.resolve(host === 'intra.test' ? '10.1.2.3' : null),
    ownAddress: () => '10.9.8.7',
    ...more,
  });
}

const about = (host: string): { readonly url: string; readonly host: string } => ({
  url: `https://${host}/`,
  host,
});

/** What each expression is, as a text, in the order given. */
async function values(expressions: readonly string[]): Promise<readonly string[]> {
  using script = open(
    `function FindProxyForURL(url, host) { return JSON.stringify([${expressions.map((one) => `String(${one})`).join()}]); }`,
  );
  const reading = await script.find('p', about('a.example.com'));
  if (reading.kind !== 'found') assert.fail(reading.reason);
  return JSON.parse(reading.text) as readonly string[];
}

test('the functions of PAC say what those of browsers say', async () => {
  const table: readonly (readonly [string, string])[] = [
    ['url', 'https://a.example.com/'],
    ['isPlainHostName("www")', 'true'],
    ['isPlainHostName("www.example.com")', 'false'],
    ['dnsDomainIs("www.Example.com", ".example.COM")', 'true'],
    ['dnsDomainIs("www.example.org", ".example.com")', 'false'],
    ['localHostOrDomainIs("www", "www.example.com")', 'true'],
    ['localHostOrDomainIs("home.example.com", "www.example.com")', 'false'],
    ['dnsDomainLevels("www.example.com")', '2'],
    ['shExpMatch("a.example.com", "*.example.com")', 'true'],
    ['shExpMatch("a.example.com", "?.ex*.c?m")', 'true'],
    ['shExpMatch("a.example.com", "*.example.org")', 'false'],
    ['shExpMatch("a".repeat(5000), "*a".repeat(1000) + "b")', 'false'],
    ['isInNet("intra.test", "10.1.0.0", "255.255.0.0")', 'true'],
    ['isInNet("10.2.0.1", "10.1.0.0", "255.255.0.0")', 'false'],
    ['isInNet("unknown.test", "0.0.0.0", "0.0.0.0")', 'false'],
    ['isInNet("999.1.1.1", "0.0.0.0", "0.0.0.0")', 'false'],
    ['dnsResolve("intra.test")', '10.1.2.3'],
    ['dnsResolve("unknown.test")', 'null'],
    ['isResolvable("intra.test")', 'true'],
    ['myIpAddress()', '10.9.8.7'],
    ['weekdayRange("SUN", "SAT")', 'true'],
    ['weekdayRange("NEVER")', 'false'],
    ['dateRange("JAN", "DEC", "GMT")', 'true'],
    ['dateRange(1, 31)', 'true'],
    ['dateRange(1990, 1991)', 'false'],
    ['timeRange(0, 0, 0, 23, 59, 59)', 'true'],
    ['timeRange()', 'false'],
    ['alert("x")', 'undefined'],
  ];
  assert.deepEqual(
    await values(table.map(([expression]) => expression)),
    table.map(([, expected]) => expected),
  );
});

test('nothing of the host is there, whichever way it is asked for', async () => {
  const names = [
    'process',
    'require',
    'fetch',
    'WebAssembly',
    'setTimeout',
    'console',
    'std',
    'os',
    'Worker',
  ];
  const found = await values([
    ...names.map((name) => `typeof ${name}`),
    '(function () {}).constructor("return typeof process")()',
    'dnsResolve.constructor("return typeof process")()',
    'Object.getOwnPropertyNames(Object.getPrototypeOf(dnsResolve)).includes("host")',
    'dnsResolve({ toString: function () { return "intra.test"; } })',
  ]);
  assert.deepEqual(found, [...names.map(() => 'undefined'), 'undefined', 'undefined', 'false', '10.1.2.3']);
});

test('a script whose functions are its own changes its own, and no other', async () => {
  using script = open(
    `Object.prototype.toString = String.prototype.toString = function () { throw 1; };
     dnsResolve = function () { return '10.0.0.1'; };
     var calls = 0;
     function FindProxyForURL(url, host) { calls += 1; return 'PROXY ' + dnsResolve('x') + ':' + calls; }`,
  );
  assert.deepEqual(await script.find('p', about('a.test')), { kind: 'found', text: 'PROXY 10.0.0.1:1' });
  assert.deepEqual(await script.find('p', about('a.test')), { kind: 'found', text: 'PROXY 10.0.0.1:2' });
});

test('what a hostile script does is a failure that says what it was, and the next question begins anew', async () => {
  const cases: readonly (readonly [body: string, reason: RegExp])[] = [
    ['var a = []; while (true) a.push(new Array(1000).fill(1.5));', /memory/],
    ['return "x".repeat(1e9);', /memory/],
    ['return "x".repeat(1e5);', /pacResultCharactersMax/],
    ['return (function f() { return f(); })();', /stack/],
    ['return { toString: function () { return "DIRECT"; } };', /no text/],
    ['throw new Error("no " + host);', /no evil\.test/],
    ['for (var i = 0; i < 1000; i += 1) dnsResolve("n" + i + ".test");', /pacLookupsMax/],
  ];
  for (const [body, reason] of cases) {
    using script = open(
      `function FindProxyForURL(url, host) { if (host !== 'evil.test') return 'DIRECT'; ${body} }`,
    );
    const reading: PacReading = await script.find('p', about('evil.test'));
    assert.equal(reading.kind, 'failed', body);
    assert.match(reading.kind === 'failed' ? reading.reason : '', reason, body);
    if (body !== cases[0]?.[0]) continue;
    assert.deepEqual(await script.find('p', about('good.test')), { kind: 'found', text: 'DIRECT' });
  }
});

test('a loop, in the script, in a regular expression or at its top, ends with its thread', async () => {
  for (const text of [
    'function FindProxyForURL() { while (true) {} }',
    'function FindProxyForURL() { return /^(a+)+$/.test("a".repeat(40) + "b") ? "" : "DIRECT"; }',
    'while (true) { try { while (true) {} } catch (e) {} }',
  ]) {
    using script = open(text, { limits: { ...defaultLimits, pacTimeoutMs: 100 } });
    const reading = await script.find('p', about('a.test'));
    assert.deepEqual(reading, { kind: 'failed', reason: 'it takes too long (pacTimeoutMs)' }, text);
  }
});

test('a name that is never resolved is given up with the thread that waits for it', async () => {
  using script = open('function FindProxyForURL(url, host) { return dnsResolve(host); }', {
    limits: { ...defaultLimits, pacTimeoutMs: 100 },
    resolve: () => Promise.withResolvers<string | null>().promise,
  });
  assert.match(JSON.stringify(await script.find('p', about('a.test'))), /pacTimeoutMs/);
});

test('a script without the function, or that is no JavaScript, fails', async () => {
  for (const [text, reason] of [
    ['', /no function FindProxyForURL/],
    ['var FindProxyForURL = 5;', /no function FindProxyForURL/],
    ['function (', /./],
  ] as const) {
    using script = open(text);
    const reading = await script.find('p', about('a.test'));
    assert.equal(reading.kind, 'failed', text);
    assert.match(reading.kind === 'failed' ? reading.reason : '', reason);
  }
});

test('an owner has one thread at a time, in the order of its questions, and the end settles all that wait', async () => {
  const script = open('function FindProxyForURL(url, host) { return host; }');
  const order: string[] = [];
  const ask = (who: string, host: string): Promise<unknown> =>
    script
      .find(who, about(host))
      .then((reading) => order.push(reading.kind === 'found' ? reading.text : 'over'));
  await Promise.all([ask('a', 'a1'), ask('a', 'a2'), ask('a', 'a3'), ask('b', 'b1')]);
  assert.deepEqual(
    order.filter((host) => host !== 'b1'),
    ['a1', 'a2', 'a3'],
  );
  const last = ask('a', 'a4');
  script[Symbol.dispose]();
  await last;
  assert.equal(order.at(-1), 'over');
});

/** A script that asks for each host, of which those of `slow.test` come only when they are let go. */
function withSlowNames(limits = patient): {
  readonly script: PacScript;
  /** Slow hosts that are being asked for. */
  readonly heldCount: () => number;
  readonly letGo: () => void;
  /** Resolves when so many are being asked for. */
  readonly holds: (count: number) => Promise<void>;
} {
  const held = new Map<string, () => void>();
  let look = (): void => undefined;
  const script = open('function FindProxyForURL(url, host) { return dnsResolve(host) || "none"; }', {
    limits,
    resolve: (host) => {
      if (!host.endsWith('slow.test')) return Promise.resolve('10.0.0.1');
      const { promise, resolve } = Promise.withResolvers<string>();
      held.set(host, () => resolve('10.0.0.2'));
      look();
      return promise;
    },
  });
  return {
    script,
    heldCount: () => held.size,
    letGo: () => {
      for (const resolve of held.values()) resolve();
      held.clear();
    },
    holds: (count) =>
      new Promise((resolve) => {
        look = () => {
          if (held.size >= count) resolve();
        };
        look();
      }),
  };
}

test('nobody waits for a slow question of another, and those who were slow share one thread', async () => {
  // Everybody was slow who was asked for once.
  const { script, letGo, holds, heldCount } = withSlowNames({ ...patient, pacSlowMs: 0 });
  using _ = script;
  const quick = (who: string): Promise<PacReading> => script.find(who, about('quick.test'));
  const slow = (who: string): Promise<PacReading> => script.find(who, about(`${who}.slow.test`));
  const first = ['a', 'b'].map(slow);
  await holds(2);
  assert.deepEqual(await quick('c'), { kind: 'found', text: '10.0.0.1' });
  letGo();
  await Promise.all(first);
  const again = ['a', 'b'].map(slow);
  await holds(1);
  assert.deepEqual(await quick('d'), { kind: 'found', text: '10.0.0.1' });
  assert.equal(heldCount(), 1);
  script[Symbol.dispose]();
  await Promise.all(again);
});

test('questions that dials left behind are bounded in number and in time, each principal for itself', async () => {
  const { script, letGo, holds } = withSlowNames({ ...patient, dialsPendingMax: 2, connectTimeoutMs: 50 });
  using _ = script;
  const slow = (who: string, host: string): Promise<unknown> =>
    script.find(who, about(`${host}.slow.test`)).catch((error: unknown) => error);
  const first = slow('p', 'h0');
  await holds(1);
  const waiting = ['h1', 'h2'].map((host) => slow('p', host));
  await assert.rejects(script.find('p', about('h3.slow.test')), {
    code: 'limit_exceeded',
    limit: 'dialsPendingMax',
  });
  for (const error of await Promise.all(waiting)) assert.equal((error as { code?: string }).code, 'timeout');
  // All threads but the one for those who were slow.
  const others = ['q', 'r'].map((who) => slow(who, who));
  await holds(3);
  await assert.rejects(script.find('s', about('s.test')), { code: 'timeout', limit: 'connectTimeoutMs' });
  letGo();
  assert.deepEqual(await first, { kind: 'found', text: '10.0.0.2' });
  await Promise.all(others);
});
