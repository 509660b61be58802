import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ScramLogin } from '../../../../src/gateway/databases/postgres/scram.ts';
import { ScramServer } from '../../../../src/gateway/databases/postgres/scram-server.ts';
import { Secret } from '../../../../src/protocol/secret.ts';

const leaf = Buffer.from('hash of the leaf that was shown.');
const text = 'upstreamproxy-placeholder-orders';

function server(binding: Uint8Array | undefined = leaf): ScramServer {
  return new ScramServer({ password: text, nonce: 'ours', salt: Buffer.alloc(16, 7), binding });
}

function client(
  password = text,
  binding: Uint8Array | undefined = leaf,
  isBindingOffered = true,
): ScramLogin {
  return new ScramLogin({
    password: new Secret(password),
    nonce: 'theirs',
    binding,
    isBindingOffered,
    iterationsMin: 4096,
    iterationsMax: 4096,
  });
}

async function run(one: ScramServer, other: ScramLogin): Promise<boolean> {
  const first = one.first(other.mechanism, other.first);
  return other.verify(await one.final(await other.final(first)));
}

test('a client that knows the placeholder sees that the gateway does too, with the leaf bound and without', async () => {
  assert.equal(client().mechanism, 'SCRAM-SHA-256-PLUS');
  assert.ok(await run(server(), client()));
  assert.ok(await run(server(), client(text, undefined)), 'a client that cannot bind');
  const plain = new ScramServer({
    password: text,
    nonce: 'ours',
    salt: Buffer.alloc(16),
    binding: undefined,
  });
  assert.deepEqual(plain.mechanisms, ['SCRAM-SHA-256']);
  assert.ok(await run(plain, client(text, leaf, false)), 'a client that sees no offer, where there was none');
});

test('another password, another leaf and an offer that was taken out on the way are refused', async () => {
  await assert.rejects(run(server(), client('another')), /another password/);
  await assert.rejects(run(server(), client(text, Buffer.from('of somebody else'))), /another certificate/);
  await assert.rejects(run(server(), client(text, leaf, false)), /did not see that this was offered/);
});

test('what is no SCRAM, comes twice or out of order is refused', async () => {
  for (const [mechanism, first] of [
    ['SCRAM-SHA-1', 'n,,n=,r=a'],
    ['SCRAM-SHA-256', 'p=tls-server-end-point,,n=,r=a'],
    ['SCRAM-SHA-256-PLUS', 'n,,n=,r=a'],
    ['SCRAM-SHA-256-PLUS', 'p=tls-unique,,n=,r=a'],
    ['SCRAM-SHA-256', 'n,a=admin,n=,r=a'],
    ['SCRAM-SHA-256', 'n,,m=ext,n=,r=a'],
    ['SCRAM-SHA-256', 'n,,n=,r='],
    ['SCRAM-SHA-256', `n,,n=,r=${'a'.repeat(257)}`],
    ['SCRAM-SHA-256', ''],
  ] as const)
    assert.throws(() => server().first(mechanism, first), { name: 'ScramError' }, `${mechanism} ${first}`);
  await assert.rejects(server().final('c=biws,r=a,p='), /not one of SCRAM/);
  const [one, other] = [server(), client()];
  const final = await other.final(one.first(other.mechanism, other.first));
  await assert.rejects(one.final(final.replace('r=theirsours', 'r=theirsothers')), /nonce is another/);
  await assert.rejects(one.final(final), /not one of SCRAM/, 'each first message serves one last one');
});
