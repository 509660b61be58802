import assert from 'node:assert/strict';
import { test } from 'node:test';

import { jailFacts } from '../../../src/agent/jail/jail-facts.ts';
import type { JailLayer } from '../../../src/agent/jail/jail-plan.ts';

const holding = (...layers: JailLayer[]) => ({ layers: layers.map((layer) => ({ layer, held: true })) });

test('seccomp alone is no jail', () => {
  assert.equal(jailFacts(holding('no-new-privs', 'seccomp'), false).jailed, false);
  assert.equal(jailFacts(holding('no-new-privs', 'landlock'), false).jailed, true);
});

test('root is jailed only without its capabilities, or as another user', () => {
  assert.equal(jailFacts(holding('no-new-privs', 'landlock'), true).jailed, false);
  assert.equal(jailFacts(holding('no-new-privs', 'landlock', 'capabilities'), true).jailed, true);
  assert.equal(jailFacts(holding('no-new-privs', 'landlock', 'identity'), true).jailed, true);
});

test('the network is isolated where its layer holds and nothing outside can be used to leave it', () => {
  const wall = ['no-new-privs', 'landlock'] as const;
  assert.equal(jailFacts(holding('network', ...wall, 'seccomp'), false).networkIsolated, true);
  assert.equal(jailFacts(holding('network', ...wall), false).networkIsolated, false);
  assert.equal(jailFacts(holding(...wall), false).networkIsolated, false);
  assert.equal(jailFacts(holding('network', 'seccomp'), false).networkIsolated, false);
});

test('a refused layer is a note with its reason', () => {
  const { notes } = jailFacts({ layers: [{ layer: 'landlock', held: false, reason: 'none' }] }, false);
  assert.deepEqual(notes, ['jail: no landlock: none']);
});
