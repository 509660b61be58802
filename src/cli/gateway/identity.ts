// `upstreamproxy identity`: the keys and authorities that several gateways share.

import { ownPlaces } from '../../gateway/identity-places.ts';
import { identityDefinition } from '../commands/identity-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { groupOf } from '../terminal/command.ts';
import { gatewayOfOptions } from './gateway-configuration.ts';

async function make({ options }: Input<(typeof identityDefinition)['actions'][0]>): Promise<number> {
  const config = await gatewayOfOptions(options);
  const { signingKey, interception, server, peers } = ownPlaces(config);
  const nowMs = Date.now();
  const { kid } = await signingKey.open();
  await interception.open(nowMs);
  await peers.open(nowMs);
  if (config.tls === 'self') await server.open(nowMs);
  process.stdout.write(`kid ${kid}\n`);
  return 0;
}

export const identityCommand = groupOf(identityDefinition, { make });
