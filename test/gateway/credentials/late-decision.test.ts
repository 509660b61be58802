// A request can wait between its decision and its way out, for a credential: what was decided has to hold when it goes.

import assert from 'node:assert/strict';
import { access, writeFile } from 'node:fs/promises';
import { connect } from 'node:http2';
import { join } from 'node:path';
import { test } from 'node:test';

import { canary, findCanary } from '../../support/canary.ts';
import { waitUntil } from '../../support/program.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { get } from '../support/raw-http.ts';
import { openCredentialScene, type CredentialScene } from './support/credential-scene.ts';

interface Waiting extends AsyncDisposable {
  readonly scene: CredentialScene;
  readonly secret: string;
  /** Resolves when the source of the credential is asked. */
  asked(): Promise<void>;
  /** Lets the source response. */
  respond(): Promise<void>;
}

async function openWaiting(): Promise<Waiting> {
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(await temporaryDirectory());
  const [started, go] = [join(directory.path, 'started'), join(directory.path, 'go')];
  const secret = canary('late');
  const script = `: > "$1"; until test -e "$2"; do sleep 0.02; done; printf %s "$3"`;
  const scene = stack.use(
    await openCredentialScene({
      credential: { kind: 'bearer', source: { command: ['sh', '-c', script, 'sh', started, go, secret] } },
    }),
  );
  const owned = stack.move();
  return {
    scene,
    secret,
    asked: () =>
      waitUntil('the source was asked', async () =>
        access(started).then(
          () => true,
          () => false,
        ),
      ),
    respond: () => writeFile(go, ''),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

const ruleOf = (at: string, rest: string): string => {
  const [host, port] = at.split(':');
  return `rules:\n  - { name: in, hosts: ${host}, ports: ${port}, addresses: 127.0.0.0/8, paths: /in/**${rest} }\n`;
};

for (const [what, policy] of [
  ['allows the request no more', 'rules: []\n'],
  ['gives it no credential any more', undefined],
] as const) {
  test(`a policy that ${what} while its credential is waited for keeps it back`, async () => {
    await using waiting = await openWaiting();
    const { scene, secret } = waiting;
    const response = scene.get('/in/a');
    await waiting.asked();
    scene.path.setPolicy(policy ?? ruleOf(scene.at, ''));
    await waiting.respond();
    assert.match((await response).head, /^HTTP\/1\.1 403 /);
    assert.deepEqual(scene.seen, []);
    const [event] = await scene.path.events(1);
    assert.deepEqual([event?.verdict, event?.errorCode], ['deny', 'policy_denied']);
    assert.deepEqual(findCanary(JSON.stringify(event), secret), []);
  });
}

for (const protocol of ['http/1.1', 'h2'] as const) {
  test(`a client that is gone, as all of a revoked session are, while its credential is waited for gets nothing sent: ${protocol}`, async () => {
    await using waiting = await openWaiting();
    const { scene } = waiting;
    const socket = await scene.path.tls(scene.at, { alpn: [protocol] });
    socket.on('error', () => undefined);
    if (protocol === 'h2') {
      const session = connect(`https://${scene.at}`, { createConnection: () => socket });
      session.on('error', () => undefined);
      session.request({ ':path': '/in/a' }).on('error', () => undefined);
    } else socket.write(get(scene.at, '/in/a'));
    await waiting.asked();
    socket.destroy();
    await waiting.respond();
    const [event] = await scene.path.events(1);
    assert.equal(event?.errorCode, 'cancelled');
    assert.deepEqual(scene.seen, []);
  });
}

test('a policy that changed and still gives the same goes on as if it had not', async () => {
  await using waiting = await openWaiting();
  const { scene, secret } = waiting;
  const response = scene.get('/in/a');
  await waiting.asked();
  scene.path.setPolicy(ruleOf(scene.at, ', inject: it'));
  await waiting.respond();
  assert.match((await response).head, /^HTTP\/1\.1 200 /);
  assert.equal(scene.seen[0]?.headers.authorization, `Bearer ${secret}`);
});
