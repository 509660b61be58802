import assert from 'node:assert/strict';
import { test } from 'node:test';
import { captureNote } from '../../../src/cli/agent/capture-note.ts';

test('capture on loopback is told in one line that says what it is not', () => {
  assert.equal(captureNote({}), '');
  const line = 'upstreamproxy: captured on loopback, for all of this container: a convenience, no wall';
  assert.equal(captureNote({ loopbackCapture: { takenPorts: [] } }), `${line}\n`);
  const taken = captureNote({ loopbackCapture: { takenPorts: [80, 443] } });
  assert.equal(taken, `${line}; without 80, 443, where a server listens\n`);
});
