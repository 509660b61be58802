// Clients of registries, and what each should pick of a package whose newer version has a fault.

import type { PackageRegistry } from '../../../src/understand/packages/package-request.ts';
import { compiledClients } from './clients/compiled-clients.ts';
import { imageClients } from './clients/image-clients.ts';
import { npmClients } from './clients/npm-clients.ts';
import { pythonClients } from './clients/python-clients.ts';
import type { RegistryClient } from './clients/registry-client.ts';
import { rubyClients } from './clients/ruby-clients.ts';
import type { Wrong } from './told-table.ts';

export const clients: readonly RegistryClient[] = [
  ...npmClients,
  ...pythonClients,
  ...compiledClients,
  ...rubyClients,
  ...imageClients,
];

export interface Picked {
  readonly range: string;
  readonly locked: string;
}

/** What a client of the registry should pick. */
export function expected(registry: PackageRegistry, wrong: Wrong): Picked | undefined {
  const none = { range: 'none', locked: 'none' };
  // Nobody writes advisories about images. A tag names one image, so there is no version before it.
  const isOfAdvisories = wrong === 'affected' || wrong === 'malicious';
  if (registry === 'oci' && wrong !== 'withdrawn') return isOfAdvisories ? undefined : none;
  const isKeptByRegistry = registry === 'pypi' || registry === 'cargo' || registry === 'go';
  if (wrong === 'withdrawn') return { range: '1.0.0', locked: isKeptByRegistry ? '1.1.0' : 'none' };
  // Only the file of sums knows it: without one, nobody does.
  if (wrong === 'tampered') return registry === 'go' ? { range: '1.1.0', locked: 'none' } : none;
  // Its list is not shown in part.
  return registry === 'maven' ? none : { range: '1.0.0', locked: 'none' };
}
