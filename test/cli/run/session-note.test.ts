import assert from 'node:assert/strict';
import { test } from 'node:test';

import { sessionNote } from '../../../src/cli/run/session-note.ts';

const auditFile = '/state/audit.jsonl';

test('one line says what the session allows, where the audit is and how it ends', () => {
  const note = (policy: 'files' | 'observe' | 'none', config?: string): string =>
    sessionNote({ embedded: { auditFile, policy }, gatewayUrl: undefined, config });
  const rest = 'Audit: /state/audit.jsonl. It ends with the command (exit, in a shell).\n';
  assert.equal(note('files'), `upstreamproxy: the session stands. ${rest}`);
  assert.equal(
    note('observe'),
    `upstreamproxy: the session stands without a policy: public destinations are allowed and recorded. ${rest}`,
  );
  assert.equal(
    note('none', 'gateway.yaml'),
    `upstreamproxy: every request will be refused, for gateway.yaml names no policy: add --policy FILE, or policy: FILE to it. ${rest}`,
  );
  const remote = { embedded: undefined, gatewayUrl: 'https://gateway.example.com:8443', config: undefined };
  assert.equal(
    sessionNote(remote),
    'upstreamproxy: the session stands; the gateway https://gateway.example.com:8443 decides and has the audit. It ends with the command (exit, in a shell).\n',
  );
});
