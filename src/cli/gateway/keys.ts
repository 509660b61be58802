// `upstreamproxy keys`: the rotation of the key that signs session tokens and access tokens.

import {
  makeNextSigningKey,
  retireSigningKey,
  switchSigningKey,
} from '../../gateway/sessions/signing-key-rotation.ts';
import { keysDefinition } from '../commands/keys-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { groupOf } from '../terminal/command.ts';
import { gatewayOfOptions } from './gateway-configuration.ts';

type NextInput = Input<(typeof keysDefinition)['actions'][0]>;

async function next({ options: values }: NextInput): Promise<number> {
  const { directory } = (await gatewayOfOptions(values)).identity;
  process.stdout.write(`kid ${await makeNextSigningKey(directory)}\n`);
  return 0;
}

async function change({ options: values }: Input<(typeof keysDefinition)['actions'][1]>): Promise<number> {
  const { directory } = (await gatewayOfOptions(values)).identity;
  await switchSigningKey(directory, { nowMs: Date.now(), atOnce: values['at-once'] });
  return 0;
}

async function retire({ options: values }: NextInput): Promise<number> {
  const { directory } = (await gatewayOfOptions(values)).identity;
  const isRetired = await retireSigningKey(directory);
  process.stdout.write(isRetired ? 'the key of before is taken no more\n' : 'there is no key of before\n');
  return 0;
}

export const keysCommand = groupOf(keysDefinition, { next, switch: change, retire });
