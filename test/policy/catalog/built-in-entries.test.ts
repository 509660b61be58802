// The entries that come along: made of their files, and each with samples that are decided as they say.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';

import { catalogEntries, hostsText } from '../../../scripts/build-catalog.ts';
import { playSamples } from '../../../src/gateway/policies/play-samples.ts';
import { builtInEntries } from '../../../src/policy/catalog/built-in-entries.ts';
import { asList } from '../../../src/policy/schema-parts.ts';

test('the table is made of the files', () => {
  // Not as a difference: it would be as long as the table.
  const isMade = isDeepStrictEqual(builtInEntries, catalogEntries());
  assert.ok(isMade, 'write it anew: node scripts/build-catalog.ts');
  const hosts = readFileSync(new URL('../../../src/api/catalog-hosts.ts', import.meta.url), 'utf8');
  assert.ok(hosts === hostsText(), 'write it anew: node scripts/build-catalog.ts');
});

const kinds = new Set(['bearer', 'basic', 'header', 'query', 'sigv4']);

describe('each entry', () => {
  for (const [name, entry] of Object.entries(builtInEntries))
    test(name, async () => {
      const played = await playSamples(name, entry);
      assert.deepEqual(
        played.filter(({ problem }) => problem !== undefined),
        [],
      );
      const { samples = [], parts, credentials = {} } = entry;
      // Each part has something to show, and so has what no access lets through.
      assert.ok(
        samples.some(({ needs }) => needs === 'none'),
        'a sample of what is never let through',
      );
      for (const access of new Set(parts.map((part) => part.access)))
        assert.ok(
          samples.some(({ needs }) => needs === access),
          `a sample that needs ${access}`,
        );
      for (const [form, { kind }] of Object.entries(credentials))
        assert.ok(kinds.has(kind), `${form} is of the kind ${kind}`);
      for (const form of Object.keys(credentials))
        assert.ok(
          samples.some((sample) => sample.with === form),
          `a sample with ${form}`,
        );
      for (const part of parts.filter((one) => one.access === 'reveals'))
        assert.ok(part.why !== undefined, `${part.name} says why`);
      // A credential goes to no host that a stranger could have a name below.
      for (const part of parts.filter((one) => one.credential !== undefined))
        for (const host of asList(part.hosts)) assert.doesNotMatch(host, /^\*/, `${part.name}: ${host}`);
    });
});

test('what brings secrets is denied with a slash behind its path, too', async () => {
  for (const name of ['cloudflare', 'github', 'vercel']) {
    const entry = builtInEntries[name];
    assert.ok(entry !== undefined);
    const samples = (entry.samples ?? []).flatMap((sample) =>
      sample.needs === 'reveals' && sample.body === undefined ? [withSlash(sample)] : [],
    );
    assert.notEqual(samples.length, 0);
    const played = await playSamples(name, { ...entry, samples });
    const problems = played.flatMap(({ problem }) => problem ?? []);
    assert.deepEqual(
      problems.filter((problem) => /let through with (?:read|write)/.test(problem)),
      [],
    );
  }
});

type Sample = NonNullable<(typeof builtInEntries)[string]['samples']>[number];

function withSlash({ request, ...sample }: Sample): Sample {
  return { ...sample, request: request.replace(/(?=\?|$)/, '/') };
}

test('a sample that is decided otherwise is found', async () => {
  const { github } = builtInEntries;
  assert.ok(github !== undefined);
  const wrong = (needs: 'read' | 'none', form?: string) =>
    playSamples('github', {
      ...github,
      samples: [
        { request: 'GET https://api.github.com/user', needs, ...(form === undefined ? {} : { with: form }) },
      ],
    });
  assert.match((await wrong('none', 'api'))[0]?.problem ?? '', /let through with read, by sample\/api-read/);
  assert.match((await wrong('read', 'git'))[0]?.problem ?? '', /gets the credential api, not git/);
});
