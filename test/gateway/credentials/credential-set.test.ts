import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { CredentialSet } from '../../../src/gateway/credentials/credential-set.ts';
import type { CredentialConfig } from '../../../src/gateway/credentials/credential-kinds.ts';
import { HeaderList } from '../../../src/http/header-list.ts';
import { scrubFields } from '../../../src/gateway/scrub/scrub-fields.ts';
import type { RequestHead } from '../../../src/http/message-head.ts';

const canary = 'canary-5f3c9e-secret';
const head: RequestHead = {
  method: 'GET',
  destination: { scheme: 'https', host: 'example.com', port: 443 },
  path: '/',
  query: '',
  headers: new HeaderList([
    ['Authorization', 'Bearer of-the-client'],
    ['accept', '*/*'],
  ]),
  httpVersion: '1.1',
};

function setOf(config: CredentialConfig): CredentialSet {
  return new CredentialSet({ it: config }, { TOKEN: canary });
}

async function injectedFields(set: CredentialSet): Promise<Record<string, readonly string[]>> {
  const { head: injected } = await set.inject(head, [{ credential: 'it' }], { nowMs: 0 });
  return { authorization: injected.headers.all('authorization'), apiKey: injected.headers.all('x-api-key') };
}

test('a bearer credential replaces what the client sent', async () => {
  const fields = await injectedFields(setOf({ kind: 'bearer', source: { env: 'TOKEN' } }));
  assert.deepEqual(fields['authorization'], [`Bearer ${canary}`]);
});

test('a basic credential is Base64 of user name and secret, and both forms are known for scrubbing', async () => {
  const set = setOf({ kind: 'basic', username: 'git', source: { env: 'TOKEN' } });
  const { head: injected, searched } = await set.inject(head, [{ credential: 'it' }], { nowMs: 0 });
  const pair = Buffer.from(`git:${canary}`).toString('base64');
  assert.deepEqual(injected.headers.all('authorization'), [`Basic ${pair}`]);
  const back = new HeaderList([
    ['x-secret', canary],
    ['x-pair', pair],
  ]);
  assert.deepEqual(scrubFields(back, searched?.tables ?? []).toRaw(), [
    'x-secret',
    '*'.repeat(canary.length),
    'x-pair',
    '*'.repeat(pair.length),
  ]);
});

test('a header credential goes into its own field with its prefix', async () => {
  const config = { kind: 'header', header: 'X-Api-Key', prefix: 'k=', source: { env: 'TOKEN' } } as const;
  const fields = await injectedFields(setOf(config));
  assert.deepEqual(fields['apiKey'], [`k=${canary}`]);
});

test('a file is read again when it changes', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'credential-'));
  try {
    const file = join(directory, 'secret');
    await writeFile(file, 'first-value\n');
    const set = setOf({ kind: 'bearer', source: { file } });
    const at = async (nowMs: number): Promise<string | undefined> =>
      (await set.inject(head, [{ credential: 'it' }], { nowMs })).head.headers.first('authorization');
    assert.equal(await at(0), 'Bearer first-value');
    await writeFile(file, 'second-value-longer\n');
    assert.equal(await at(2_000), 'Bearer second-value-longer');
    await writeFile(file, 'broken\r\nx: y');
    await assert.rejects(at(4_000), { code: 'credential_unavailable' });
    await rm(file);
    await assert.rejects(at(6_000), { code: 'credential_unavailable', message: /credential it: the file/ });
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('a command gives the value, and its failure never shows its output', async () => {
  const good = setOf({
    kind: 'bearer',
    source: { command: [process.execPath, '-e', `console.log('${canary}')`] },
  });
  assert.deepEqual((await injectedFields(good))['authorization'], [`Bearer ${canary}`]);
  const script = `console.log('${canary}'); process.exit(3)`;
  const bad = setOf({ kind: 'bearer', source: { command: [process.execPath, '-e', script] } });
  const error: unknown = await bad
    .inject(head, [{ credential: 'it' }], { nowMs: 0 })
    .catch((thrown: unknown) => thrown);
  assert.ok(error instanceof Error && error.message.includes('ended with 3'));
  assert.equal(inspect(error, { depth: 9 }).replaceAll(script, '').includes(canary), false);
});

test('a missing environment variable is an error at start-up that names it', () => {
  assert.throws(() => setOf({ kind: 'bearer', source: { env: 'ABSENT' } }), {
    code: 'config_invalid',
    message: /credential it: the environment variable ABSENT is not set/,
  });
});

test('a secret is in no printed form of the set or of what was injected', async () => {
  const set = setOf({ kind: 'bearer', source: { env: 'TOKEN' } });
  const { names, searched } = await set.inject(head, [{ credential: 'it' }], { nowMs: 0 });
  assert.equal(inspect({ set, names, searched }, { depth: 9 }).includes(canary), false);
  assert.equal(JSON.stringify({ names, searched }).includes(canary), false);
});

test('a value that is renewed is searched for in bodies that run', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'credential-'));
  try {
    const file = join(directory, 'secret');
    await writeFile(file, 'first-value\n');
    const set = setOf({ kind: 'bearer', source: { file } });
    const { searched } = await set.inject(head, [{ credential: 'it' }], { nowMs: 0 });
    const scrubbed = (): string | undefined =>
      scrubFields(new HeaderList([['x', 'first-value second-value']]), searched?.tables ?? []).first('x');
    assert.equal(scrubbed(), `${'*'.repeat(11)} second-value`);
    await writeFile(file, 'second-value\n');
    await set.inject(head, [{ credential: 'it' }], { nowMs: 2_000 });
    assert.equal(scrubbed(), `${'*'.repeat(11)} ${'*'.repeat(12)}`);
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('a request without the placeholder gets no secret, and its response is searched for it', async () => {
  const set = setOf({ kind: 'placeholder', source: { env: 'TOKEN' }, placeholder: { env: 'P' } });
  const { names, searched, head: injected } = await set.inject(head, [{ credential: 'it' }], { nowMs: 0 });
  assert.deepEqual([names, injected.headers.toRaw()], [[], head.headers.toRaw()]);
  assert.equal(searched?.tables.length, 1);
});
