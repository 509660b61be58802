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
  const { stateDirectory } = await gatewayOfOptions(values);
  process.stdout.write(`kid ${await makeNextSigningKey(stateDirectory)}\n`);
  return 0;
}

async function change({ options: values }: Input<(typeof keysDefinition)['actions'][1]>): Promise<number> {
  const { stateDirectory } = await gatewayOfOptions(values);
  await switchSigningKey(stateDirectory, { nowMs: Date.now(), atOnce: values['at-once'] });
  return 0;
}

async function retire({ options: values }: NextInput): Promise<number> {
  const { stateDirectory } = await gatewayOfOptions(values);
  const isRetired = await retireSigningKey(stateDirectory);
  process.stdout.write(isRetired ? 'the key of before is taken no more\n' : 'there is no key of before\n');
  return 0;
}

export const keysCommand = groupOf(keysDefinition, { next, switch: change, retire });
