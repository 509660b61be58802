// `upstreamproxy identity`: the keys and authorities that several gateways share.

import { createPrivateKey } from 'node:crypto';
import { resolve } from 'node:path';
import type { GatewayConfig } from '../../gateway/config/config.ts';
import { signingKeyOfDocument } from '../../gateway/identity/identity-document.ts';
import { readPair } from '../../gateway/gateway-identity.ts';
import { identityOfFiles } from '../../gateway/identity/identity-of-files.ts';
import { identityPlaces, ownPlaces } from '../../gateway/identity/identity-places.ts';
import { claimIdentity } from '../../gateway/identity/recorded-identity.ts';
import { endedWithout, lockedOut, lockedOutAway } from '../../gateway/identity/locked-out.ts';
import type { SealedStore } from '../../gateway/identity/sealed-store.ts';
import { publicOf } from '../../gateway/open-gateway-keys.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { identityDefinition } from '../commands/identity-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { groupOf } from '../terminal/command.ts';
import { gatewayOfOptions } from './gateway-configuration.ts';
import { type AskedStore, withSealed, withStore, keyFilesOf } from './identity-access.ts';
import { tellDone } from '../terminal/notes.ts';

type Options = Input<(typeof identityDefinition)['actions'][0]>;

async function make({ options }: Options): Promise<number> {
  const config = await gatewayOfOptions(options);
  const stored = await withSealed(config, async (sealed) => {
    const { document } = await sealed.make();
    return signingKeyOfDocument(document.signingKey).kid;
  });
  process.stdout.write(`kid ${stored ?? (await makeFiles(config))}\n`);
  return 0;
}

async function makeFiles(config: GatewayConfig): Promise<string> {
  const { signingKey, interception, server, peers } = ownPlaces(config, keyFilesOf(config));
  const nowMs = Date.now();
  const { kid } = await signingKey.open();
  await interception.open(nowMs);
  await peers.open(nowMs);
  if (config.tls === 'self') await server.open(nowMs);
  return kid;
}

async function take({
  options,
  arguments: { DIRECTORY: directory },
}: Input<(typeof identityDefinition)['actions'][1]>): Promise<number> {
  const config = await gatewayOfOptions(options);
  const document = await identityOfFiles(resolve(directory), Date.now());
  await sealedOnly(config, (sealed) => sealed.take(document));
  process.stdout.write(`kid ${signingKeyOfDocument(document.signingKey).kid}\n`);
  return 0;
}

async function rewrap({ options }: Input<(typeof identityDefinition)['actions'][2]>): Promise<number> {
  const config = await gatewayOfOptions(options);
  const { version, keyIds } = await sealedOnly(config, (sealed, { gateways, isShared }) =>
    sealed.rewrap(async (ids) => {
      const { peersKnownMax: limit } = defaultLimits;
      const [current, away] = [await gateways.current(limit), await gateways.away(limit)];
      const { force, 'even-if-away': evenIfAway } = options;
      const locked =
        lockedOut(current, ids) ??
        // A file of this machine has the gateways of one configuration alone.
        (evenIfAway === true || !isShared ? undefined : lockedOutAway({ current, away }, ids));
      if (locked !== undefined && force !== true) throw locked;
      const ended = endedWithout(away, ids);
      if (ended > 0)
        process.stderr.write(
          `upstreamproxy: ${ended} of the gateway processes that ended within the last hour had no key that opens it: to start such a gateway again, give it the new one first\n`,
        );
    }),
  );
  tellDone(options, `version ${version} is sealed for key ${keyIds.join(' and ')}\n`);
  return 0;
}

async function certificate({
  options,
  arguments: { CERTIFICATE: path, KEY: keyPath },
}: Input<(typeof identityDefinition)['actions'][3]>): Promise<number> {
  const config = await gatewayOfOptions(options);
  const { certificatePem, keyPem } = await readPair({ certificate: resolve(path), key: resolve(keyPath) });
  const port = { certificatePem, key: createPrivateKey(keyPem) };
  const { version } = await sealedOnly(config, (sealed) =>
    sealed.change((document) => ({ ...document, port })),
  );
  tellDone(options, `version ${version} has the certificate of the port\n`);
  return 0;
}

async function claim({ options }: Options): Promise<number> {
  const config = await gatewayOfOptions(options);
  if (config.identity.kind === 'store')
    throw new ProxyError('usage', 'the identity of this configuration is in the store already');
  // Those of a state folder that was lost are made here: its gateway makes none beside what the store says.
  const own = await publicOf(config, identityPlaces(config, keyFilesOf(config)), 'open', Date.now());
  await withStore(config, ({ identity }) => claimIdentity(identity, own));
  return 0;
}

async function sealedOnly<T>(
  config: GatewayConfig,
  use: (sealed: SealedStore, store: AskedStore) => Promise<T>,
): Promise<T> {
  if (config.identity.kind !== 'store')
    throw new ProxyError(
      'usage',
      'the identity of this configuration is in files: write identity: { store: true, keyEncryptionKey: … }',
    );
  const done = await withSealed(config, async (sealed, store) => ({ result: await use(sealed, store) }));
  if (done === undefined) throw new ProxyError('internal', 'an identity in the store was not opened');
  return done.result;
}

export const identityCommand = groupOf(identityDefinition, {
  make,
  import: take,
  rewrap,
  certificate,
  claim,
});
