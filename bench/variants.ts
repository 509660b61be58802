// The variants of our own path that can be compared, and whether this version has them.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { runtimeFile } from './child.ts';
import { direct, upstreamproxy } from './contenders.ts';
import type { AgentOptions, Contender, GatewayOptions, OriginProcess } from './contenders.ts';
import { squid } from './squid.ts';

const command = fileURLToPath(new URL('../bin/upstreamproxy', import.meta.url));
const schemaFile = fileURLToPath(new URL('../schema/gateway.schema.json', import.meta.url));

export const variantNames = [
  'direct',
  'squid',
  'upstreamproxy',
  'tls-in-agent',
  'tls-in-gateway',
  'bun-agent',
  'workers-2',
] as const;
export type VariantName = (typeof variantNames)[number];

export function isVariantName(name: string): name is VariantName {
  return (variantNames as readonly string[]).includes(name);
}

type OurOptions = GatewayOptions & AgentOptions & { readonly agents?: number };

/** Options of ours, or why this version or machine has no such variant. */
function ourOptions(name: VariantName): OurOptions | string {
  switch (name) {
    case 'tls-in-agent':
    case 'tls-in-gateway': {
      const args = tlsArgs(name === 'tls-in-agent' ? 'agent' : 'gateway');
      return args === undefined ? 'in this version TLS ends in the gateway alone' : { name, args };
    }
    case 'bun-agent':
      return runtimeFile('bun') === process.execPath ? 'Bun is not installed' : { name, runtime: 'bun' };
    case 'workers-2':
      return hasSetting('workers')
        ? { name, config: 'workers: 2\n', agents: 2 }
        : 'this version has no `workers` in its configuration';
    default:
      return {};
  }
}

/** Starts it, or says why it can't be compared here. */
export async function startVariant(
  name: VariantName,
  directory: string,
  origin: OriginProcess,
): Promise<Contender | string> {
  if (name === 'direct') return direct(origin);
  if (name === 'squid') return await squid(directory, origin);
  const options = ourOptions(name);
  return typeof options === 'string' ? options : await upstreamproxy(directory, origin, options);
}

/** Arguments of an agent by which TLS of clients ends there; undefined in a version that has no such choice. */
export function tlsArgs(place: 'agent' | 'gateway'): readonly string[] | undefined {
  const { stdout } = spawnSync(command, ['agent', '--help'], { encoding: 'utf8' });
  return stdout.includes('--tls-ends-in') ? [`--tls-ends-in=${place}`] : undefined;
}

export function hasSetting(name: string): boolean {
  // The schema is ours, made by a test.
  const { properties } = JSON.parse(readFileSync(schemaFile, 'utf8')) as {
    properties?: Record<string, unknown>;
  };
  return properties?.[name] !== undefined;
}
