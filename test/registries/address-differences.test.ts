// Addresses as an attacker would write them, against a registry by other makers (verdaccio): what it serves of a package that is denied, the
// gateway never lets through, however it is asked for. Generated from a seed. `npm run test:packages` runs it.

import assert from 'node:assert/strict';
import http from 'node:http';
import { test } from 'node:test';
import { openRegistryScene, type RegistryScene } from '../gateway/support/registry-scene.ts';
import { type Random, seeded } from '../support/seeded.ts';
import { startVerdaccio } from './support/verdaccio.ts';

const skip = process.env['TEST_REGISTRIES'] === undefined ? '`npm run test:packages` runs it' : false;
const seed = Number(process.env['TEST_SEED'] ?? 20_261_128);
const count = Number(process.env['TEST_ADDRESSES'] ?? 600);

const deniedMark = 'mark-of-what-is-denied';
/** Whole packages, and one version of another. */
const deny = 'deny: [denied, "@team/denied", "partly@1.1.0"]';
const bases = [
  '/denied',
  '/denied/1.0.0',
  '/denied/latest',
  '/denied/-/denied-1.0.0.tgz',
  '/@team/denied',
  '/@team%2fdenied',
  '/@team/denied/-/denied-1.0.0.tgz',
  '/@team%2fdenied/1.0.0',
  '/partly',
  '/partly/1.1.0',
  '/partly/latest',
  '/partly/-/partly-1.1.0.tgz',
  '/-/package/partly/dist-tags',
  '/-/v1/search?text=denied',
  '/-/all',
];
const fields = [
  'Accept: application/vnd.npm.install-v1+json',
  'Accept: application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*',
  'Accept: text/html',
  'Accept: */*;q=0.1, application/json',
  'Accept-Encoding: gzip',
  'Accept-Encoding: br;q=1, *;q=0.1',
  'Range: bytes=0-99',
  'Range: bytes=-200',
  'If-None-Match: "x"',
  'If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT',
  'If-Range: "x"',
  'X-Original-URL: /denied',
  'X-HTTP-Method-Override: GET',
  'npm-command: ci',
];

const pick = <T>(random: Random, from: readonly T[]): T => from[Math.floor(random() * from.length)]!;

const percent = (character: string, isLower: boolean): string => {
  const hex = character.charCodeAt(0).toString(16).padStart(2, '0');
  return `%${isLower ? hex : hex.toUpperCase()}`;
};

/** One change of an address that some server, somewhere, reads as the address before. */
function changed(path: string, random: Random): string {
  const at = Math.floor(random() * path.length);
  const character = path[at] ?? '/';
  const cut = (text: string): string => `${path.slice(0, at)}${text}${path.slice(at + 1)}`;
  const slash = path.indexOf('/', 1);
  switch (Math.floor(random() * 14)) {
    case 0:
      return /[\w@./-]/.test(character) ? cut(percent(character, random() < 0.5)) : path;
    case 1:
      return cut(percent('%', false) + percent(character, true).slice(1));
    case 2:
      return cut(random() < 0.5 ? character.toUpperCase() : character.toLowerCase());
    case 3:
      return slash > 0 ? `${path.slice(0, slash)}/${path.slice(slash)}` : `/${path}`;
    case 4:
      return `${path}/`;
    case 5:
      return `${path}${pick(random, ['?', '?write=true', '?x=1', ';x=1', '#x', '%3f', '%00', '%20'])}`;
    case 6:
      return pick(random, [
        `/./${path.slice(1)}`,
        `/x/..${path}`,
        `/-/..${path}`,
        `/allowed/..${path}`,
        `/allowed/%2e%2e${path}`,
      ]);
    case 7:
      return path.replace('/-/', pick(random, ['/%2d/', '/-//', '//-/', '/./-/', '/-%2f', '/-/./']));
    case 8:
      return path.replace('%2f', pick(random, ['%2F', '/', '%252f', '%5c', '\\']));
    case 9:
      return path.replace('@', pick(random, ['%40', '%2540', '@']));
    case 10:
      return path.replace(
        /(\d)\.tgz/,
        pick(random, ['$1.tar.gz', '$1.TGZ', '$1%2etgz', '$1.tgz/', '$1+build.tgz', '$1-.tgz']),
      );
    case 11:
      return path.replace(
        '1.0.0',
        pick(random, ['v1.0.0', '=1.0.0', '^1.0.0', '1.x', '%31.0.0', '1.0.0+x', '*']),
      );
    case 12:
      return path.replace('/-/', pick(random, ['/-/download/', '/download/', '/-/-/']));
    default:
      return pick(random, [
        `/-/package${path}`,
        `/-/verdaccio/data/sidebar${path}`,
        `/-/verdaccio/data/package/readme${path}`,
        `http://127.0.0.1${path}`,
        `/${path}`,
      ]);
  }
}

interface Asked {
  readonly method: string;
  readonly target: string;
  readonly fields: readonly string[];
}

function generated(random: Random): Asked {
  let target = pick(random, bases);
  for (let changes = Math.floor(random() * 3); changes >= 0; changes--) target = changed(target, random);
  const method = random() < 0.1 ? 'HEAD' : 'GET';
  const some = Array.from({ length: Math.floor(random() * 3) }, () => pick(random, fields));
  return { method, target, fields: [...new Map(some.map((one) => [one.split(':')[0], one])).values()] };
}

/** As the registry itself reads it, without anybody between. */
function direct(url: string, { method, target, fields: sent }: Asked): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const headers = Object.fromEntries(sent.map((one) => one.split(/: (.*)/s).slice(0, 2)));
  const asked = http.request(
    url,
    { method, path: target.replaceAll('\\', '%5c').replace('#', '%23'), headers },
    (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('end', () => resolve(Buffer.concat(pieces).toString('latin1')));
    },
  );
  asked.on('error', () => resolve(''));
  asked.end();
  return promise;
}

const hasMark = (text: string): boolean => text.includes(deniedMark);

test(
  'of a package that is denied nothing comes, by none of the addresses by which the registry serves it',
  { skip, timeout: 1_200_000 },
  async (context) => {
    await using registry = await startVerdaccio();
    if (registry === undefined) return context.skip('verdaccio could not be fetched');
    const [marked, plain] = [deniedMark, 'nothing'];
    await registry.publish('allowed', [{ version: '1.0.0', marker: plain }]);
    for (const name of ['denied', '@team/denied'])
      await registry.publish(name, [{ version: '1.0.0', marker: marked }]);
    await registry.publish('partly', [
      { version: '1.0.0', marker: plain },
      { version: '1.1.0', marker: marked },
    ]);
    // What it delivers is put in clear, so that marks show.
    await using scene: RegistryScene = await openRegistryScene(
      `registry: npm, ${deny}`,
      (request, response) => {
        const headers = {
          ...request.headers,
          'accept-encoding': 'identity',
          host: new URL(registry.url).host,
        };
        const asked = http.request(
          registry.url,
          { method: request.method, path: request.url, headers },
          (from) => {
            response.writeHead(from.statusCode ?? 502, from.rawHeaders);
            from.pipe(response);
          },
        );
        asked.on('error', () => response.destroy());
        request.pipe(asked);
      },
    );
    assert.equal((await scene.get('/allowed')).status, 200);
    assert.equal((await scene.get('/partly/-/partly-1.0.0.tgz')).status, 200);
    assert.ok(hasMark(await direct(registry.url, { method: 'GET', target: '/denied', fields: [] })));
    const random = seeded(seed);
    let [served, passed] = [0, 0];
    const through: Asked[] = [];
    for (let i = 0; i < count; i++) {
      const asked = generated(random);
      const sent = asked.fields.filter((one) => !one.startsWith('Accept-Encoding'));
      if (
        hasMark(
          await direct(registry.url, { ...asked, fields: sent.filter((one) => !one.startsWith('Range')) }),
        )
      )
        served++;
      const { status, body } = await scene.send(asked.method, asked.target, asked.fields);
      if (status >= 200 && status <= 299) passed++;
      if (hasMark(body.toString('latin1'))) through.push(asked);
    }
    console.log(
      `${String(count)} addresses of seed ${String(seed)}: verdaccio serves what is denied by ${String(served)} of them, ${String(passed)} came through with something else`,
    );
    assert.deepEqual(through, []);
    // Without these, nothing would have been tried.
    assert.ok(served > count / 20, String(served));
  },
);
