// When versions came out: asked for once, by one for all, and never more than there is room for.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type AskedPackage,
  PublishTimes,
  type ToldVersions,
} from '../../../src/gateway/packages/publish-times.ts';
import { ProxyError } from '../../../src/protocol/error.ts';

const asked = (name: string): AskedPackage => ({
  registry: 'npm',
  root: { scheme: 'https', host: 'npm.test', port: 443, path: '' },
  name,
  written: name,
  credentials: [],
});

const digestOf = async (
  times: PublishTimes,
  of: AskedPackage,
  version: string,
  ...how: [ask: () => Promise<ToldVersions | undefined>, asksFirst?: boolean]
): Promise<string | undefined> =>
  (await times.promiseOf(of, { promisedAs: version, version }, ...how))?.digest;

const told = (...times: readonly (readonly [version: string, ms: number])[]): ToldVersions => ({
  times: new Map(times),
  digests: new Map(),
});

test('those who wait for one package are told by one question, and what is known is not asked again', async () => {
  const times = new PublishTimes({ publishTimesMax: 100, publishTimesAgainMs: 1000 }, () => 0);
  let questions = 0;
  const ask = (): Promise<ToldVersions> => {
    questions += 1;
    return Promise.resolve(told(['1.0.0', 5]));
  };
  const all = await Promise.all(Array.from({ length: 20 }, () => times.timeOf(asked('a'), '1.0.0', ask)));
  assert.deepEqual(new Set(all), new Set([5]));
  assert.equal(await times.timeOf(asked('a'), '2.0.0', ask), undefined);
  assert.equal(questions, 1);
});

test('a version that was not told of is asked for again later, and a question that fails is not remembered', async () => {
  let now = 0;
  const times = new PublishTimes({ publishTimesMax: 100, publishTimesAgainMs: 1000 }, () => now);
  times.note(asked('a'), told(['1.0.0', 5]));
  now = 1000;
  await assert.rejects(
    times.timeOf(asked('a'), '1.1.0', () => Promise.reject(new Error('away'))),
    /away/,
  );
  assert.equal(await times.timeOf(asked('a'), '1.1.0', () => Promise.resolve(told(['1.1.0', 7]))), 7);
});

test('what the store says of a module is asked for anew after a while, and stays where nobody says it', async () => {
  let now = 0;
  const times = new PublishTimes({ publishTimesMax: 100, publishTimesAgainMs: 1000 }, () => now);
  const module: AskedPackage = { ...asked('a'), registry: 'go' };
  const digests = new Map([['v1', 'x']]);
  times.note(module, { ...told(['v1', 5]), digests });
  const timeOf = (ask: () => Promise<ToldVersions | undefined>) => times.timeOf(module, 'v1', ask);
  const away = () => Promise.reject<ToldVersions>(new Error('away'));
  now = 999;
  assert.equal(await timeOf(away), 5);
  now = 1000;
  assert.equal(await timeOf(away), 5);
  assert.equal(await timeOf(() => Promise.resolve(undefined)), 5);
  assert.equal(await digestOf(times, module, 'v1', away, true), 'x');
  // It was forgotten, and seen again.
  assert.equal(
    await timeOf(() => Promise.resolve({ ...told(['v1', 900]), digests: new Map([['v1', 'y']]) })),
    900,
  );
  assert.equal(await timeOf(away), 900);
  assert.equal(await digestOf(times, module, 'v1', away, true), 'y');
});

test('a time that was seen stays', () => {
  const times = new PublishTimes({ publishTimesMax: 100, publishTimesAgainMs: 1000 }, () => 0);
  times.note(asked('a'), told(['1.0.0', 5]));
  assert.equal(times.note(asked('a'), told(['1.0.0', 1])).get('1.0.0'), 5);
});

test('what one could not be told keeps no other waiting for nothing: each asks for itself', async () => {
  const times = new PublishTimes({ publishTimesMax: 100, publishTimesAgainMs: 1000 }, () => 0);
  const first = Promise.withResolvers<ToldVersions>();
  const waiting = times.timeOf(asked('a'), '1.0.0', () => first.promise);
  const others = Array.from({ length: 5 }, () =>
    times.timeOf(asked('a'), '1.0.0', () => Promise.resolve(told(['1.0.0', 5]))),
  );
  first.reject(new Error('its credential is refused'));
  await assert.rejects(waiting, /is refused/);
  assert.deepEqual(new Set(await Promise.all(others)), new Set([5]));
});

test('what is left out once is remembered, and another credential or spelling is another question', async () => {
  const times = new PublishTimes({ publishTimesMax: 100, publishTimesAgainMs: 1000 }, () => 0);
  const never = (): Promise<ToldVersions> => Promise.reject(new Error('asked'));
  times.note(asked('a'), told(['1.0.0', 5]));
  times.note(asked('a'), told());
  assert.equal(await times.timeOf(asked('a'), '1.0.0', never), 5);
  const own = { ...asked('a'), credentials: ['own'] };
  await assert.rejects(times.timeOf(own, '1.0.0', never), /asked/);
  const crate = { ...asked('serde-json'), registry: 'cargo', written: 'serde_json' } as const;
  times.note(crate, told(['1.0.0', 5]));
  assert.equal(await times.timeOf({ ...crate, written: 'Serde_json' }, '1.0.0', never), 5);
  await assert.rejects(times.timeOf({ ...crate, written: 'serde-json' }, '1.0.0', never), /asked/);
});

test('names that do not exist fill no memory, and names of versions are not long', async () => {
  const times = new PublishTimes({ publishTimesMax: 10, publishTimesAgainMs: 1000 }, () => 0);
  let questions = 0;
  const ask = (): Promise<ToldVersions> => {
    questions += 1;
    return Promise.resolve(told());
  };
  for (let i = 0; i < 100; i++) await times.timeOf(asked(`none-${String(i)}`), '1.0.0', ask);
  assert.equal(times.size <= 10, true);
  await times.timeOf(asked('none-99'), '1.0.0', ask);
  assert.equal(questions, 100);
  assert.equal(times.note(asked('b'), told(['x'.repeat(1000), 1])).size, 0);
});

test('what is promised last counts, and stays when it is left out, or something else comes; one alarm a minute says so', async () => {
  let now = 0;
  const times = new PublishTimes({ publishTimesMax: 100, publishTimesAgainMs: 1000 }, () => now);
  const promised = (digest: string): ToldVersions => ({
    times: new Map([['1.0.0', 5]]),
    digests: new Map([['1.0.0', digest]]),
  });
  const never = (): Promise<ToldVersions> => Promise.reject(new Error('asked'));
  const digest = (ask = never, of = asked('a')): Promise<string | undefined> =>
    digestOf(times, of, '1.0.0', ask);
  times.note(asked('a'), promised('sha1-x'));
  assert.equal(times.size, 3);
  times.note(asked('a'), promised('sha1-y'));
  times.note(asked('a'), told());
  assert.equal(await digest(), 'sha1-y');
  assert.equal(await digest(never, { ...asked('a'), credentials: ['own'] }), undefined);
  assert.deepEqual(
    [times.altered(asked('a')), times.altered(asked('a')), times.altered(asked('b'))],
    [true, false, true],
  );
  let questions = 0;
  const ask = (): Promise<ToldVersions> => {
    questions += 1;
    return Promise.resolve(promised('sha1-z'));
  };
  assert.equal(await digest(), 'sha1-y');
  now = 1000;
  assert.deepEqual(await Promise.all([digest(ask), digest(ask)]), ['sha1-z', 'sha1-z']);
  assert.equal(await digest(ask), 'sha1-z');
  assert.deepEqual([questions, times.size], [1, 3]);
  now = 60_000;
  assert.equal(times.altered(asked('a')), true);
});

test('what comes altered again and again has the registry asked once within a time, also where that fails', async () => {
  let now = 0;
  let questions = 0;
  const times = new PublishTimes({ publishTimesMax: 100, publishTimesAgainMs: 1000 }, () => now);
  const promised: ToldVersions = { times: new Map(), digests: new Map([['1.0.0', 'sha1-x']]) };
  const altered = async (told: () => Promise<ToldVersions | undefined>): Promise<string | undefined> => {
    times.altered(asked('a'));
    return await digestOf(times, asked('a'), '1.0.0', () => {
      questions += 1;
      return told();
    });
  };
  times.note(asked('a'), promised);
  for (const told of [
    () => Promise.resolve(promised),
    () => Promise.reject(new Error('away')),
    () => Promise.resolve(undefined),
  ]) {
    questions = 0;
    for (let i = 0; i < 5; i++) assert.equal(await altered(told), 'sha1-x');
    assert.equal(questions, 1);
    now += 999;
    await altered(told);
    assert.equal(questions, 1);
    now += 1;
  }
});

test('a promise that is not known is asked for as a time is, where it is asked for at all', async () => {
  let now = 0;
  let questions = 0;
  const times = new PublishTimes({ publishTimesMax: 100, publishTimesAgainMs: 1000 }, () => now);
  const promised: ToldVersions = { times: new Map(), digests: new Map([['1.0.0', 'sha1-x']]) };
  const digest = (version: string, asksFirst = true): Promise<string | undefined> =>
    digestOf(
      times,
      asked('a'),
      version,
      () => {
        questions += 1;
        return questions === 1 ? Promise.reject(new Error('away')) : Promise.resolve(promised);
      },
      asksFirst,
    );
  assert.deepEqual([await digest('1.0.0', false), questions], [undefined, 0]);
  // What fails is remembered for nobody.
  assert.deepEqual([await digest('1.0.0'), questions], [undefined, 1]);
  assert.deepEqual(await Promise.all([digest('1.0.0'), digest('1.0.0')]), ['sha1-x', 'sha1-x']);
  assert.deepEqual([await digest('2.0.0'), questions], [undefined, 2]);
  now = 1000;
  assert.deepEqual([await digest('1.0.0'), questions], ['sha1-x', 2]);
  assert.deepEqual([await digest('2.0.0'), questions], [undefined, 3]);
});

test('a version that is published again is as new as its later time, and one that is left out keeps its time', () => {
  const times = new PublishTimes({ publishTimesMax: 100, publishTimesAgainMs: 1000 }, () => 0);
  times.note(asked('a'), told(['1.0.0', 5]));
  assert.equal(times.note(asked('a'), told(['1.0.0', 9])).get('1.0.0'), 9);
  assert.equal(times.note(asked('a'), told(['1.1.0', 7])).get('1.0.0'), 9);
});

test('what said nothing is asked again at once, and a document that is too long is not', async () => {
  let now = 0;
  let questions = 0;
  const times = new PublishTimes({ publishTimesMax: 100, publishTimesAgainMs: 1000 }, () => now);
  const silent = (): Promise<undefined> => {
    questions += 1;
    return Promise.resolve(undefined);
  };
  assert.equal(await times.timeOf(asked('a'), '1.0.0', silent), undefined);
  assert.equal(await times.timeOf(asked('a'), '1.0.0', silent), undefined);
  assert.equal(questions, 2);
  const long = (): Promise<undefined> => {
    questions += 1;
    return Promise.reject(
      new ProxyError('origin_malformed', 'too long', { limit: 'packageMetadataBytesMax' }),
    );
  };
  times.note(asked('b'), told(['0.9.0', 3]));
  now = 1000;
  await assert.rejects(times.timeOf(asked('b'), '1.0.0', long), /too long/);
  await assert.rejects(times.timeOf(asked('b'), '1.1.0', long), /too long/);
  assert.equal(await times.timeOf(asked('b'), '0.9.0', long), 3);
  assert.equal(questions, 3);
  now = 2000;
  await assert.rejects(times.timeOf(asked('b'), '1.0.0', long), /too long/);
  assert.equal(questions, 4);
});

test('a time is asked for anew where something else came, and is not known of what is promised without one', async () => {
  let now = 0;
  const times = new PublishTimes({ publishTimesMax: 100, publishTimesAgainMs: 1000 }, () => now);
  const promised = (digest: string, ...of: readonly number[]): ToldVersions => ({
    times: new Map(of.map((ms) => ['1.0.0', ms])),
    digests: new Map([['1.0.0', digest]]),
  });
  const never = (): Promise<ToldVersions> => Promise.reject(new Error('asked'));
  times.note(asked('a'), promised('sha1-x', 5));
  times.altered(asked('a'));
  assert.equal(await times.timeOf(asked('a'), '1.0.0', never), 5);
  now = 1000;
  assert.equal(await times.timeOf(asked('a'), '1.0.0', () => Promise.resolve(promised('sha1-y', 9))), 9);
  times.note(asked('a'), promised('sha1-y'));
  assert.equal(await times.timeOf(asked('a'), '1.0.0', never), 9);
  times.note(asked('a'), promised('sha1-z'));
  assert.equal(await times.timeOf(asked('a'), '1.0.0', () => Promise.resolve(promised('sha1-z', 12))), 12);
});
