import assert from 'node:assert/strict';
import { test } from 'node:test';

import { clientTable } from '../../../src/agent/doctor/client-table.ts';
import { environmentTable } from '../../../src/agent/environment.ts';

test('a client is in the table once, and every row says how to find it', () => {
  const ids = clientTable.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
  assert.ok(ids.length >= 60, `only ${ids.length}`);
  for (const { id, commands, version } of clientTable) {
    assert.match(id, /^[a-z0-9-]+$/);
    assert.ok(commands.length > 0 && (version.length > 0 || id === 'az'), id);
  }
});

test('what a row says it reads first, a session sets', () => {
  const set = new Set(environmentTable.map(({ name }) => name));
  for (const { id, proxy, trust } of clientTable) {
    const sources = [...proxy, ...(Array.isArray(trust) ? trust : [])];
    const [first] = sources.flatMap((source) =>
      source.kind === 'variable' ? [source.names[0] ?? ''] : 'name' in source ? [source.name] : [],
    );
    if (first !== undefined) assert.ok(set.has(first), `${id}: ${first} is not set by a session`);
  }
});

test('what a row takes from nowhere but files in HOME or the system store names its remedy', () => {
  for (const { id, proxy, trust, fix } of clientTable) {
    const sources = [...proxy, ...(Array.isArray(trust) ? trust : [])];
    const onlyHome = [proxy, trust].some(
      (half) =>
        Array.isArray(half) && half.length > 0 && half.every(({ kind }) => /home|system|fixed/.test(kind)),
    );
    if (onlyHome || proxy.length === 0) assert.ok(fix !== undefined, id);
    assert.ok(sources.length > 0 || fix === 'capture', id);
  }
});

test('every proof asks the gateway and nobody else, and shows something that only its response has', () => {
  for (const { id, proof } of clientTable) {
    if (proof === undefined) continue;
    const texts = [...proof.args, ...Object.values(proof.env ?? {}), ...Object.values(proof.files ?? {})];
    assert.ok(
      texts.some((text) => /@(url|status|base)@/.test(text)),
      id,
    );
    assert.ok(
      texts.every((text) => !/https?:\/\//.test(text)),
      id,
    );
    // A word alone would be in an error that repeats the URL.
    assert.ok(![proof.expect].flat().includes('@word@'), id);
  }
});
