// Fuzz target: what a session sends to the agent of SSH, as latin1 text. What is taken is written in one way alone, and what is to be signed is
// either the log-in of the session that is bound, or a hash for git. Options as in run-target.ts.

import assert from 'node:assert/strict';

import { agentFrame, bindExtension } from '../src/protocol/ssh-agent.ts';
import {
  type AgentSignature,
  readAgentRequest,
  type SessionBind,
} from '../src/understand/ssh-agent-request.ts';
import {
  field,
  generatedRequest,
  identitiesRequest,
  logInData,
  signRequest,
} from '../test/support/ssh-agent-messages.ts';
import { runTarget } from './run-target.ts';

function bindOf({ hostKey, sessionId, signature }: SessionBind): Buffer {
  const fields = [bindExtension, hostKey, sessionId, signature].map(field);
  return Buffer.from(agentFrame(Buffer.concat([Buffer.of(27), ...fields, Buffer.of(0)])));
}

const flagsOf: Readonly<Record<string, number>> = { 'rsa-sha2-256': 2, 'rsa-sha2-512': 4 };

function signatureOf({ key, data, algorithm, bind, signs }: AgentSignature): Buffer {
  if (signs.kind === 'hash') {
    assert.equal(bind, undefined);
    const start = Buffer.concat([Buffer.from('SSHSIG'), field('git'), field(''), field(signs.hash)]);
    const length = signs.hash === 'sha256' ? 32 : 64;
    assert.deepEqual(Buffer.from(data), Buffer.concat([start, field(data.subarray(-length))]));
    return signRequest(Buffer.from(key), Buffer.from(data), flagsOf[algorithm]);
  }
  assert.ok(bind !== undefined);
  assert.deepEqual(bind.hostKey, signs.hostKey);
  const { sessionId, hostKey } = bind;
  const log = { sessionId: Buffer.from(sessionId), key: Buffer.from(key), user: signs.user, algorithm };
  const forms = [{}, { hostKey: Buffer.from(hostKey) }].map((one) => logInData({ ...log, ...one }));
  assert.ok(forms.some((one) => one.equals(Buffer.from(data))));
  return Buffer.concat([bindOf(bind), signRequest(Buffer.from(key), Buffer.from(data), flagsOf[algorithm])]);
}

function check(text: string): boolean {
  const octets = Buffer.from(text, 'latin1');
  const request = readAgentRequest(octets);
  if (typeof request === 'string') return false;
  switch (request.kind) {
    case 'identities':
      // With or without the bind of its connection.
      assert.deepEqual(octets.subarray(-identitiesRequest.length), identitiesRequest);
      return true;
    case 'bind':
      assert.deepEqual(octets, bindOf(request.bind));
      return true;
    case 'sign':
      assert.deepEqual(octets, signatureOf(request));
      return true;
  }
}

await runTarget({
  name: 'ssh-agent',
  generate: (random) => generatedRequest(random).toString('latin1'),
  check,
});
