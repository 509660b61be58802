import assert from 'node:assert/strict';
import { test } from 'node:test';

import { jailFacts } from '../../../src/agent/jail/jail-facts.ts';
import type { JailLayer, JailMeasures } from '../../../src/agent/jail/jail-plan.ts';

const measures: JailMeasures = {
  isPowerful: false,
  uid: 0,
  networkWays: [],
  networkStreams: [],
  inherited: [],
  ownTerminals: true,
  reachesOwnAlone: true,
};
const holding = (...layers: JailLayer[]) => ({
  layers: layers.map((layer) => ({ layer, held: true })),
  measures,
});

test('seccomp alone is no jail', () => {
  assert.equal(jailFacts(holding('no-new-privs', 'seccomp'), false).jailed, false);
  assert.equal(jailFacts(holding('no-new-privs', 'landlock'), false).jailed, true);
});

test('root is jailed only without its capabilities, or as another user, which the kernel says', () => {
  assert.equal(jailFacts(holding('no-new-privs', 'landlock'), true).jailed, false);
  assert.equal(jailFacts(holding('no-new-privs', 'landlock', 'capabilities'), true).jailed, true);
  const another = holding('no-new-privs', 'landlock', 'identity');
  const as = (uid: number) => ({ ...another, measures: { ...measures, uid } });
  assert.equal(jailFacts(as(65_534), true).jailed, true);
  assert.equal(jailFacts(as(0), true).jailed, false);
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

test('who keeps a capability that goes around Landlock is not jailed, whatever layers hold: root as user 0', () => {
  const wall = holding('no-new-privs', 'landlock', 'identity', 'capabilities');
  assert.equal(jailFacts(wall, true).jailed, true);
  const powerful = { ...wall, measures: { ...measures, isPowerful: true } };
  assert.equal(jailFacts(powerful, true).jailed, false);
  assert.equal(jailFacts(powerful, false).jailed, false);
});

test('what was not measured is not told', () => {
  const { layers } = holding('network', 'no-new-privs', 'landlock', 'seccomp');
  assert.deepEqual(
    [jailFacts({ layers }, false).jailed, jailFacts({ layers }, false).networkIsolated],
    [false, false],
  );
});

test('a standard stream that is a socket of a network outside leads out of an isolated one', () => {
  const all = holding('network', 'no-new-privs', 'landlock', 'seccomp');
  const { jailed, networkIsolated, notes } = jailFacts(
    { ...all, measures: { ...measures, networkStreams: [0] } },
    false,
  );
  assert.deepEqual([jailed, networkIsolated], [true, false]);
  assert.match(notes.join(), /standard stream 0 is a socket/);
});

test('a network that was not looked at, has a way out, or a descriptor of outside is not told as isolated', () => {
  const all = holding('network', 'no-new-privs', 'landlock', 'seccomp');
  const { networkWays: _, ...unseen } = measures;
  for (const [change, note] of [
    [unseen, /not looked at/],
    [{ ...measures, networkWays: ['interface eth0'] }, /leads out: interface eth0/],
    [{ ...measures, inherited: [7] }, /descriptor 7 of outside/],
  ] as const) {
    const { jailed, networkIsolated, notes } = jailFacts({ ...all, measures: change }, false);
    assert.deepEqual([jailed, networkIsolated], [true, false]);
    assert.match(notes.join(), note);
  }
});

test('it is told where ptrace and its like are refused', () => {
  const report = holding('no-new-privs', 'seccomp');
  assert.deepEqual(jailFacts(report, false).notes, []);
  const { notes } = jailFacts({ ...report, measures: { ...measures, reachesOwnAlone: false } }, false);
  assert.match(notes.join(), /ptrace and its like are refused/);
});
