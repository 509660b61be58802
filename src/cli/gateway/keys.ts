// `upstreamproxy keys`: the rotation of the key that signs session tokens and access tokens.

import { identityFolder } from '../../gateway/identity/identity-places.ts';
import {
  nextSigningKey,
  retiredSigningKey,
  switchedSigningKey,
} from '../../gateway/identity/identity-rotation.ts';
import { createSigningKey, thumbprintOf } from '../../gateway/sessions/signing-key.ts';
import {
  acceptedForMsMin,
  makeNextSigningKey,
  retireSigningKey,
  switchSigningKey,
} from '../../gateway/sessions/signing-key-rotation.ts';
import { keysDefinition } from '../commands/keys-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { groupOf } from '../terminal/command.ts';
import { gatewayOfOptions } from './gateway-configuration.ts';
import { placesOfConfig, withSealed } from './identity-access.ts';
import { tellDone } from '../terminal/notes.ts';

type NextInput = Input<(typeof keysDefinition)['actions'][0]>;

async function next({ options: values }: NextInput): Promise<number> {
  const config = await gatewayOfOptions(values);
  const kid = await withSealed(config, async (sealed) => {
    const { document } = await sealed.change(nextSigningKey(Date.now()));
    return createSigningKey(document.signingKey.next?.key).kid;
  });
  process.stdout.write(`kid ${kid ?? (await makeNextSigningKey(identityFolder(config)))}\n`);
  return 0;
}

async function change({ options: values }: Input<(typeof keysDefinition)['actions'][1]>): Promise<number> {
  const config = await gatewayOfOptions(values);
  const how = { nowMs: Date.now(), atOnce: values['at-once'] };
  const stored = await withSealed(config, (sealed) =>
    sealed.change(switchedSigningKey({ ...how, publishedForMs: acceptedForMsMin })),
  );
  if (stored === undefined) await switchSigningKey(identityFolder(config), how);
  return 0;
}

async function retire({ options: values }: NextInput): Promise<number> {
  const config = await gatewayOfOptions(values);
  const stored = await withSealed(config, async (sealed) => {
    if ((await sealed.readOne()).document.signingKey.old === undefined) return false;
    await sealed.change(retiredSigningKey);
    return true;
  });
  const isRetired = stored ?? (await retireSigningKey(identityFolder(config)));
  tellDone(values, isRetired ? 'the key of before is taken no more\n' : 'there is no key of before\n');
  return 0;
}

async function show({ options: values }: NextInput): Promise<number> {
  const config = await gatewayOfOptions(values);
  const { publicKeys } = await (await placesOfConfig(config)).signingKey.read();
  const keys = publicKeys.map((key) => {
    const { kty, crv, x } = key.export({ format: 'jwk' });
    return { kty, crv, x, kid: thumbprintOf(key, 'of the gateway'), alg: 'EdDSA', use: 'sig' };
  });
  process.stdout.write(`${JSON.stringify({ keys }, undefined, 2)}\n`);
  return 0;
}

export const keysCommand = groupOf(keysDefinition, { next, switch: change, retire, show });
