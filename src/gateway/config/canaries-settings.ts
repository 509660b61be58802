// What the configuration says of canaries.

import type { PlainSourceConfig } from '../credentials/sources/source-config.ts';
import { plainSourceSettings } from '../credentials/sources/source-settings.ts';
import type { GatewayConfigDocument } from './config-schema.ts';

/** By name; none where the file has no `canaries`. */
export function canarySettings(
  canaries: GatewayConfigDocument['canaries'],
  absolute: (path: string) => string,
): Readonly<Record<string, PlainSourceConfig>> {
  return Object.fromEntries(
    Object.entries(canaries ?? {}).map(([name, { source }]) => [name, plainSourceSettings(source, absolute)]),
  );
}
